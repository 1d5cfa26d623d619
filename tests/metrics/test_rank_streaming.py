"""Streaming rank metrics against their own error bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from tests.metrics.ranks import CLASSES, each_class, labelled_scores

from anomalyclip.metrics import (
    AUROC,
    AveragePrecision,
    F1Max,
    f1_max,
)


@each_class
@given(sample=labelled_scores(levels=1000), bins=st.sampled_from([2, 3, 7, 64, 65_536]))
def test_streaming_stays_within_its_error_bound(cls: type, sample: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    preds, target = sample
    metric = cls(mode="streaming", bins=bins)
    metric.update(preds, target)
    assert abs(metric.compute() - CLASSES[cls](preds, target)) <= metric.error_bound() + 1e-12


def test_the_error_bound_is_reached() -> None:
    """Two scores in one bin: the worst case each bound allows for is a case that exists."""
    for cls, inside in ((AUROC, 0.5), (AveragePrecision, 0.5), (F1Max, 1 - 2 / 3)):
        metric = cls(mode="streaming", bins=2)
        metric.update([0.6, 0.7], [0, 1])
        assert metric.error_bound() == pytest.approx(inside)
        assert 1.0 - metric.compute() == pytest.approx(inside)


@each_class
def test_default_bins_are_fine_enough(cls: type) -> None:
    random = np.random.default_rng(5)
    target = random.random(100_000) < 0.05
    preds = np.clip(random.normal(0.4, 0.1, target.size) + 0.1 * target, 0, 1).astype(np.float32)
    metric = cls(mode="streaming")
    metric.update(preds, target)
    bound = metric.error_bound()
    assert abs(metric.compute() - CLASSES[cls](preds, target)) <= bound < (2e-4 if cls is AUROC else 2e-3)


@each_class
@given(sample=labelled_scores(levels=16))
def test_streaming_is_exact_when_bins_separate_the_scores(cls: type, sample: tuple[np.ndarray, np.ndarray]) -> None:
    preds, target = sample
    for dtype in (np.float16, np.float32, np.float64):
        metric = cls(mode="streaming", bins=64, score_range=(-1.0, 3.0))
        metric.update(preds.astype(dtype), target)
        assert metric.compute() == pytest.approx(CLASSES[cls](preds, target), abs=1e-12)


def test_streaming_f1_threshold_is_usable() -> None:
    random = np.random.default_rng(8)
    target = random.random(5000) < 0.2
    preds = np.clip(random.normal(0.4, 0.1, target.size) + 0.2 * target, 0, 1).astype(np.float32)
    metric = F1Max(mode="streaming", bins=256)
    metric.update(preds, target)
    value, threshold = metric.point()
    assert f1_score(target, preds >= threshold) == pytest.approx(value, abs=1e-12)
    assert value <= f1_max(preds, target)


@each_class
@pytest.mark.parametrize("mode", ["exact", "streaming"])
def test_batches_and_merging_equal_one_pass(cls: type, mode: str) -> None:
    random = np.random.default_rng(7)
    preds, target = random.integers(0, 50, 300) / 50, random.random(300) < 0.3
    whole, first, second = cls(mode=mode), cls(mode=mode), cls(mode=mode)
    whole.update(preds, target)
    first.update(preds[:120], target[:120])
    first.compute()  # computing in between must not disturb the state
    first.update(preds[120:200], target[120:200])
    second.update(preds[200:], target[200:])
    first.merge(second)
    assert first.compute() == whole.compute()
    assert first.error_bound() == whole.error_bound()
    whole.reset()
    whole.update(preds[:50], target[:50])
    assert whole.compute() == pytest.approx(CLASSES[cls](preds[:50], target[:50]), abs=1e-9)
