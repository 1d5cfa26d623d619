"""Operating points: brute force, and whether the stated intervals hold over many draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.calibration import CostWish, RecallWish
from anomalyclip.calibration.operating import choose
from anomalyclip.errors import ConfigError

SCORES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30)


@settings(max_examples=60)
@given(SCORES, SCORES, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_by_recall(normals: list[float], anomalies: list[float], recall: float) -> None:
    point = choose(normals, anomalies, RecallWish(recall))
    k = math.floor(round((1 - recall) * (len(anomalies) + 1), 9))
    assert point.guaranteed is (k >= 1)
    assert point.threshold == sorted(anomalies)[max(k, 1) - 1]
    assert point.recall[0] == np.mean([a >= point.threshold for a in anomalies])
    assert point.false_positive_rate[0] == np.mean([s >= point.threshold for s in normals])
    for value, low, high in (point.recall, point.false_positive_rate):
        assert 0 <= low <= high <= 1
        assert value >= low
    assert point.false_positive_rate[0] <= point.false_positive_rate[2]


@settings(max_examples=60)
@given(SCORES, SCORES, st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.01, 0.99))
def test_by_cost(normals: list[float], anomalies: list[float], miss: float, alarm: float, share: float) -> None:
    def cost(threshold: float) -> float:
        missed = np.mean([a < threshold for a in anomalies])
        return float(share * miss * missed + (1 - share) * alarm * np.mean([s >= threshold for s in normals]))

    point = choose(normals, anomalies, CostWish(miss, alarm, share))
    assert cost(point.threshold) == pytest.approx(point.wanted)
    assert all(cost(at) >= point.wanted - 1e-9 for at in [*normals, *anomalies, 1.1])
    assert not point.guaranteed


@pytest.mark.parametrize(
    ("wish", "size"),
    [(RecallWish(0.9), 40), (RecallWish(0.9), 5), (CostWish(10, 1, 0.1), 40), (CostWish(1, 1, 0.5), 8)],
)
def test_intervals_hold_the_truth(wish: RecallWish | CostWish, size: int) -> None:
    """Normal scores are uniform on [0, 0.6], anomalies on [0.4, 1]: the truth behind a threshold is known."""
    rng = np.random.default_rng(0)
    recalls, rates, misses = [], [], []
    for _ in range(150):
        point = choose(rng.uniform(0, 0.6, size), rng.uniform(0.4, 1, size), wish)
        recall, rate = np.clip([(1 - point.threshold) / 0.6, (0.6 - point.threshold) / 0.6], 0, 1)
        recalls.append(point.recall[1] <= recall <= point.recall[2])
        rates.append(point.false_positive_rate[1] <= rate <= point.false_positive_rate[2])
        misses.append(1 - recall)
    assert np.mean(recalls) > 0.9
    assert np.mean(rates) > 0.9
    if isinstance(wish, RecallWish) and size == 40:
        assert np.mean(misses) == pytest.approx(4 / 41, abs=0.015), "k / (m + 1), below the 10% that were allowed"


@pytest.mark.parametrize("recall", [0.0, 1.0, -1, 2, math.nan])
def test_bad_recall(recall: float) -> None:
    with pytest.raises(ConfigError, match="recall of"):
        RecallWish(recall)


@pytest.mark.parametrize(
    ("costs", "what"), [((0, 1, 0.1), "costs"), ((1, math.inf, 0.1), "costs"), ((1, 1, 0), "share")]
)
def test_bad_costs(costs: tuple[float, float, float], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        CostWish(*costs)
