"""Good pictures of one kind and of many: how words and memory are joined, and that it is told."""

from __future__ import annotations

import numpy as np
import pytest

from anomalyclip.calibration.gathering import Good
from anomalyclip.calibration.lining import AUTO, MANY_KINDS, OF_MANY_KINDS, learn
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.judges.memory.held_out import Seen
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.source import Source

SOURCE, VIEWS = Source("stages", (4,)), plan_views((4, 4), Geometry())


def line_of(noises: list[float]):
    """A line of pictures of the same nine patches, each with noise of its own strength."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(9, 8))
    pictures = []
    for number, noise in enumerate(noises):
        described = unit((common + noise * rng.normal(size=common.shape)).astype(np.float32))
        words = rng.beta(2, 6, 9).astype(np.float32)
        seen = Seen(described, (3, 3), words, float(rng.uniform(0.1, 0.6)), rng.random((4, 4), np.float32))
        key = number.to_bytes(16, "big")
        pictures.append(Good(f"{number}.png", (4, 4), key, VIEWS, [seen], None, lambda: None, b""))  # type: ignore[arg-type]
    return learn(pictures, SOURCE, rate=0.1, pixel_rate=0.1, sigma=0)


def ratio(learned) -> float:
    medians = [np.median(one.distances()[0]) for one in learned.held]
    return float(np.percentile(medians, 90) / np.percentile(medians, 10))


def test_pictures_of_one_kind_are_joined_a_third_each() -> None:
    learned = line_of([0.2] * 24)
    assert ratio(learned) < MANY_KINDS
    assert learned.line.mixture == AUTO


def test_a_single_odd_picture_is_no_kind_of_its_own() -> None:
    assert line_of([0.2] * 24 + [1.0]).line.mixture == AUTO


def test_pictures_of_many_kinds_are_judged_where_the_words_suspect_something() -> None:
    learned = line_of([0.1] * 12 + [0.6] * 12)
    assert ratio(learned) > MANY_KINDS
    line = learned.line
    assert line.mixture == OF_MANY_KINDS
    near = learned.held[0].views[0]
    odd = Seen(unit(-near.described), near.grid, np.zeros(9, np.float32), near.whole, np.zeros((4, 4), np.float32))
    unsuspected, drawn = line.judge(odd)
    assert unsuspected < 0.5, "far from everything, but nothing that the words suspect"
    assert np.ptp(drawn) == pytest.approx(0, abs=1e-6)


def test_few_pictures_are_not_asked() -> None:
    assert line_of([0.1] * 4 + [0.6] * 4).line.mixture == AUTO
