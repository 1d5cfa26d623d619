"""Good pictures that do not know each other: their bare distances count less, and it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anomalyclip.calibration.gathering import Good
from anomalyclip.calibration.lining import Learned, learn
from anomalyclip.calibration.mixing import AUTO
from anomalyclip.calibration.remembering import _about
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.judges.memory.few import SPREADS, FewLine, few_line
from anomalyclip.judges.memory.foreign import (
    FOREIGN,
    FOREIGN_TO_WORDS,
    KNOWN,
    KNOWN_TO_WORDS,
    as_trusted,
    foreignness,
    trust,
)
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import APART, Seen
from anomalyclip.judges.memory.source import Source

SIDE = 5
SOURCE, VIEWS = Source("stages", (4,)), plan_views((4, 4), Geometry())
NO_MAP = np.zeros((4, 4), np.float32)


def woven(rng: np.random.Generator, centre: np.ndarray, noise: float = 0.1) -> Seen:
    """A picture whose patches all look like one thing, as cloth does."""
    patches = unit((centre + noise * rng.normal(size=(SIDE * SIDE, len(centre)))).astype(np.float32))
    whole, score = rng.uniform(0.1, 0.6, 2)
    words = rng.beta(2, 6, SIDE * SIDE).astype(np.float32)
    return Seen(patches, (SIDE, SIDE), words, float(whole), rng.random((4, 4), np.float32), float(score))


def cloths(count: int, kinds: int, seed: int = 0) -> list[Seen]:
    """Pictures of so many weaves, in turn."""
    rng = np.random.default_rng(seed)
    weaves = rng.normal(size=(kinds, 16))
    return [woven(rng, weaves[number % kinds]) for number in range(count)]


def line_of(pictures: list[Seen]) -> Learned:
    good = [
        Good(f"{number}.png", (4, 4), number.to_bytes(16, "big"), VIEWS, [seen], None, lambda: None, b"")  # type: ignore[arg-type]
        for number, seen in enumerate(pictures)
    ]
    return learn(good, SOURCE, rate=0.25, pixel_rate=0.25, sigma=0)


def by_hand(pictures: list[Seen]) -> float:
    """Every patch against every other, in loops."""
    found = []
    for number, picture in enumerate(pictures):
        others = np.concatenate([one.described for n, one in enumerate(pictures) if n != number])
        far = [min(1 - patch @ other for other in others) for patch in picture.described]
        own = []
        for a in range(SIDE * SIDE):
            apart = [
                b for b in range(SIDE * SIDE) if max(abs(a // SIDE - b // SIDE), abs(a % SIDE - b % SIDE)) >= APART
            ]
            own.append(min((1 - picture.described[a] @ picture.described[b] for b in apart), default=np.inf))
        found.append(np.log(np.median(far) / np.median(own)))
    return float(np.mean(found))


@pytest.mark.parametrize("kinds", [1, 2, 6])
def test_foreignness_is_how_much_farther_others_are_than_a_pictures_own(kinds: int) -> None:
    pictures = cloths(6, kinds)
    assert foreignness(line_of(pictures).held) == pytest.approx(by_hand(pictures), abs=0.02)


def test_trust_falls_from_full_to_none() -> None:
    assert [trust(value) for value in (-np.inf, KNOWN, FOREIGN, 9)] == [1, 1, 0, 0]
    assert trust((KNOWN + FOREIGN) / 2) == pytest.approx(0.5)


def test_pictures_of_one_kind_are_joined_as_ever() -> None:
    learned = line_of(cloths(6, 1))
    assert learned.line.mixture == AUTO
    assert _about(learned.line.mixture) == []


def test_pictures_each_of_a_kind_of_its_own_leave_all_to_the_words() -> None:
    pictures = cloths(6, 6)
    line = line_of(pictures).line
    nothing = {"memory": 0, "novelty": 0, "map_memory": 0, "product": 0, "novelty_product": 0}
    assert line.mixture == replace(AUTO, **nothing, zero_shot=1)
    assert "foreign to each other" in _about(line.mixture)[0]
    stranger = woven(np.random.default_rng(9), np.random.default_rng(8).normal(size=16))
    calm = replace(stranger, words=pictures[0].words, whole=pictures[0].whole, anomaly_map=pictures[0].anomaly_map)
    calm = replace(calm, score=pictures[0].score)
    assert_allclose(line.judge(calm)[1], line.judge(pictures[0])[1], atol=1e-6)  # maps are the words'
    assert line.judge(calm)[0] == pytest.approx(line.judge(pictures[0])[0], abs=1e-6)  # and so is the score
    raw = [
        sum(
            w * np.log(p / (1 - p)) / s
            for w, p, s in zip((2, 1), (one.whole, one.score), line.spread[[2, 7]], strict=True)
        )
        for one in pictures
    ]
    assert np.argsort([line.judge(one)[0] for one in pictures]).tolist() == np.argsort(raw).tolist()


def test_what_products_lose_goes_to_the_words_score() -> None:
    half = as_trusted(AUTO, (KNOWN_TO_WORDS + FOREIGN_TO_WORDS) / 2)
    assert (half.product, half.novelty_product, half.zero_shot) == pytest.approx((0.5, 0.5, 0.5))
    assert (half.words, half.memory) == (2, 0)
    assert as_trusted(AUTO, KNOWN) == AUTO


def test_one_or_two_foreign_pictures_are_joined_without_bare_distances() -> None:
    for pictures in (cloths(1, 1), cloths(2, 2)):
        line = few_line([[one] for one in pictures], SOURCE, AUTO, 0.0)
        assert (line.mixture.memory, line.mixture.novelty) == (0, 0)
    assert few_line([[one] for one in cloths(2, 1)], SOURCE, AUTO, 0.0).mixture == AUTO


def test_what_is_foreign_to_a_single_picture_is_the_words_to_judge() -> None:
    known = cloths(1, 1)[0]
    line = few_line([[known]], SOURCE, AUTO, 0.0)
    rng = np.random.default_rng(4)
    near = [woven(rng, known.described[0] * 4) for _ in range(2)]
    far = [woven(rng, rng.normal(size=16)) for _ in range(2)]
    for (one, other), words_alone in ((near, False), (far, True)):
        other = replace(other, whole=one.whole, score=one.score)
        assert (line.judge(one)[0] == pytest.approx(line.judge(other)[0], abs=1e-9)) == words_alone
    louder = replace(far[0], score=(1 + far[0].score) / 2)
    assert line.judge(louder)[0] > line.judge(far[0])[0]


def test_the_score_of_few_is_the_weighed_sum_of_logarithms() -> None:
    line: FewLine = few_line([[one] for one in cloths(2, 1)], SOURCE, AUTO, 0.0)
    view = cloths(3, 3)[2]
    near = (1 - view.described @ line.bank.rows.astype(np.float32).T).min(axis=1)
    novel = np.minimum(near, view.to_itself(np.arange(SIDE * SIDE)))
    parts = [near.max(), (near * view.words).max(), 0, novel.max(), (novel * view.words).max(), 0]
    logarithms = np.log(np.array(parts) + 1e-9)
    logarithms[2] = np.log(view.whole / (1 - view.whole))
    raw = np.average((logarithms / SPREADS)[:5], weights=[1, 1, 2, 1, 1])  # of one kind: no zero_shot
    assert line.judge(view)[0] == pytest.approx(1 / (1 + np.exp(-0.25 * raw)), abs=2e-3)
