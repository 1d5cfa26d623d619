"""Near-duplicates among good pictures are noticed, and left out as one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.testing import assert_allclose

from anomalyclip.calibration.gathering import Good
from anomalyclip.calibration.lining import Learned, learn
from anomalyclip.calibration.overlaid import SIDE, overlaid
from anomalyclip.calibration.twins import twin_lines, twins_among
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.memory.source import Source

SOURCE, VIEWS = Source("stages", (4,)), plan_views((4, 4), Geometry())


def parts(count: int) -> list[np.ndarray]:
    """Patches (16, 8) of parts that look alike, each with differences of its own."""
    rng = np.random.default_rng(5)
    common = rng.normal(size=(16, 8))
    return [common + 0.3 * rng.normal(size=common.shape) for _ in range(count)]


def again(part: np.ndarray, number: int) -> np.ndarray:
    """The same part once more, with the camera's noise."""
    return part + 0.03 * np.random.default_rng(number).normal(size=part.shape)


def line_of(pictures: list[np.ndarray]) -> Learned:
    rng = np.random.default_rng(1)
    goods = []
    for number, patches in enumerate(pictures):
        words = rng.beta(2, 6, 16).astype(np.float32)
        seen = Seen(unit(patches.astype(np.float32)), (4, 4), words, 0.3, rng.random((4, 4), np.float32), 0.3)
        key = number.to_bytes(16, "big")
        goods.append(Good(f"{number}.png", (4, 4), key, VIEWS, [seen], None, lambda: None, b""))  # type: ignore[arg-type]
    return learn(goods, SOURCE, rate=0.1, pixel_rate=0.1, sigma=0)


def test_parts_photographed_twice_are_twins_and_alike_parts_are_not() -> None:
    alike = parts(8)
    assert line_of(alike).twins == []
    twice = [*alike, again(alike[2], 0), again(alike[5], 1), again(alike[5], 2)]
    assert line_of(twice).twins == [[2, 8], [5, 9, 10]]


def test_pictures_of_one_product_of_two_are_no_twins() -> None:
    one = parts(5)
    other = [part[::-1] + np.random.default_rng(7).normal(size=(16, 8)) for part in parts(6)]
    assert line_of([*one, *other]).twins == []
    assert line_of([*one, *other, again(other[3], 0)]).twins == [[8, 11]]


def test_pictures_that_lie_alike_in_one_product_are_laid_over_those_of_the_other() -> None:
    """Boards with edges in one place and cloth: boards are like each other, and no copies."""
    rng = np.random.default_rng(3)
    own = [cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), 3) for _ in range(12)]
    board = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), 3)
    grey = [board + 0.25 * one if number < 5 else one for number, one in enumerate(own)]
    jpegs = [cv2.imencode(".jpg", np.clip(128 + 400 * one, 0, 255).astype(np.uint8))[1].tobytes() for one in grey]
    cloth = [part[::-1] + np.random.default_rng(7).normal(size=(16, 8)) for part in parts(7)]
    held = line_of([*parts(5), *cloth]).held
    assert twins_among(held, jpegs) == []
    assert twins_among(held, [*jpegs[:11], jpegs[5]]) == [[5, 11]]
    together = overlaid(jpegs, np.ones((12, 12)))
    assert together, "the two products as one would have copies"


def test_every_part_photographed_twice_is_noticed() -> None:
    alike = parts(6)
    assert line_of([*alike, *(again(one, number) for number, one in enumerate(alike))]).twins == [
        [number, number + 6] for number in range(6)
    ]


def test_pictures_that_are_all_alike_are_what_the_line_looks_like() -> None:
    part = parts(1)[0]
    assert line_of([again(part, number) for number in range(8)]).twins == []
    burst = [again(part, number) for number in range(6)]
    assert twins_among(line_of([*burst, *parts(5)[1:]]).held) == [], "more than half"


def test_a_twin_is_no_part_of_the_memory_that_judges() -> None:
    alike = parts(8)
    learned = line_of([*alike, again(alike[2], 0)])
    others = [unit(one.astype(np.float32)) for number, one in enumerate(alike) if number != 2]
    for number in (2, 8):
        one = learned.held[number]
        expected, _ = make_bank(others).distances(one.views[0].described)
        assert_allclose(one.distances()[0], expected, atol=1e-6)
        assert one.repainted(one.views).twins == one.twins
    assert twin_lines(learned.twins, [f"{number}.png" for number in range(9)])[0].startswith(
        "nearly the same picture: 2.png and 8.png. Such"
    )
    assert twin_lines([], []) == []


def test_a_twin_does_not_lower_the_line() -> None:
    """The line of parts photographed twice calls new parts anomalous as seldom as that of the parts alone."""
    alike = parts(30)
    twice = [*alike[:10], *(again(one, number) for number, one in enumerate(alike[:10]))]
    for pictures in (alike[:10], twice):
        line = line_of(pictures).line
        rng = np.random.default_rng(2)
        scores = []
        for patches in alike[10:]:
            words = rng.beta(2, 6, 16).astype(np.float32)
            seen = Seen(unit(patches.astype(np.float32)), (4, 4), words, 0.3, rng.random((4, 4), np.float32), 0.3)
            scores.append(line.judge(seen)[0])
        assert np.mean(np.array(scores) > 0.5) <= 0.3
