"""Streaming pixel metrics of maps on any scale: near the exact values, and never farther than the bound they tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from anomalyclip.metrics import PixelMetrics
from anomalyclip.metrics.histogram import ScoreHistogram


def maps(low: float, high: float, dtype=np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores of normal and anomalous pixels, spread evenly over the powers of ten from low to high."""
    rng = np.random.default_rng(0)
    mask = np.zeros((4, 64, 64), bool)
    mask[1, 10:30, 20:40], mask[3, 5:9, 50:60] = True, True
    place = rng.uniform(0, 0.7, mask.shape) + 0.3 * mask
    return (10 ** (np.log10(low) + place * np.log10(high / low))).astype(dtype), mask


@pytest.mark.parametrize(
    ("low", "high", "worst"),
    [
        (1e-12, 1e-9, 2e-3),
        (1e-30, 1e-25, 2e-3),
        (1e-6, 1e-5, 2e-3),
        (1e-9, 1.0, 2e-3),
        (0.01, 0.9, 1e-3),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_scale_has_a_small_bound_that_holds(low, high, worst, dtype):
    values, mask = maps(low, high, dtype)
    streaming, exact = PixelMetrics(), PixelMetrics(mode="exact")
    for metric in (streaming, exact):
        metric.update(values, mask)
    found, truth, bounds = streaming.compute(), exact.compute(), streaming.error_bounds()
    assert truth["pixel_auroc"] == pytest.approx(roc_auc_score(mask.ravel(), values.ravel()))
    assert truth["pixel_ap"] == pytest.approx(average_precision_score(mask.ravel(), values.ravel()))
    assert set(bounds) == set(found)
    for name, value in found.items():
        assert abs(value - truth[name]) <= bounds[name] + 1e-12, name
    assert bounds["pixel_auroc"] < worst
    assert exact.error_bounds() == dict.fromkeys(bounds, 0.0)


def test_maps_within_one_bin_far_from_zero_say_so():
    """0.5 and up to a millionth more: no histogram tells them apart, the bound does."""
    values, mask = maps(1e-9, 1e-6, np.float64)
    streaming = PixelMetrics()
    streaming.update(0.5 + values, mask)
    truth = roc_auc_score(mask.ravel(), values.ravel())
    bound = streaming.error_bounds()["pixel_auroc"]
    assert abs(streaming.compute()["pixel_auroc"] - truth) <= bound
    assert bound > 0.4


def test_parts_merge_to_the_whole():
    values, mask = maps(1e-12, 1e-9)
    whole, first, second = PixelMetrics(), PixelMetrics(), PixelMetrics()
    whole.update(values, mask)
    first.update(values[:2], mask[:2])
    second.update(values[2:], mask[2:])
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute(), abs=1e-12)


@given(
    st.lists(st.floats(0, 1, width=32) | st.floats(0, 2**-20, width=32), min_size=1, max_size=50),
    st.sampled_from([2, 7, 128, 300, 65_536]),
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 3.0)]),
)
def test_bins_keep_the_order_and_hold_their_edges(values, bins, score_range):
    scores = np.asarray(values, np.float32)
    store = ScoreHistogram(bins, score_range)
    numbers, edges = store._bin_numbers(scores), store._edges()
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(numbers[order]) >= 0)
    assert np.all(np.diff(edges) >= 0)
    step = (score_range[1] - score_range[0]) / bins
    assert np.all(np.abs(edges[numbers] - scores) <= step * (1 + 1e-5))
