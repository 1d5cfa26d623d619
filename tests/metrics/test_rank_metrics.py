"""AUROC, AP and F1-max: against scikit-learn, and the properties that any rank metric has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score
from tests.metrics.ranks import each_class, labelled_scores

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics import (
    AUROC,
    F1Max,
    auroc,
    average_precision,
    f1_max,
    f1_max_point,
)

Metric = Callable[[Any, Any], float]


def sklearn_f1_max(target: np.ndarray, preds: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(target, preds)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)))


FUNCTIONS = {
    auroc: lambda target, preds: float(roc_auc_score(target, preds)),
    average_precision: lambda target, preds: float(average_precision_score(target, preds)),
    f1_max: sklearn_f1_max,
}
each_function = pytest.mark.parametrize("metric", FUNCTIONS, ids=lambda metric: metric.__name__)


@each_function
@given(sample=labelled_scores())
def test_equals_scikit_learn(metric: Metric, sample: tuple[np.ndarray, np.ndarray]) -> None:
    preds, target = sample
    assert metric(preds, target) == pytest.approx(FUNCTIONS[metric](target, preds), abs=1e-12)


@each_function
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equals_scikit_learn_on_many_scores(metric: Metric, dtype: type) -> None:
    random = np.random.default_rng(3)
    target = random.random(20_000) < 0.1
    preds = (random.normal(size=20_000) + target).astype(dtype)
    expected = FUNCTIONS[metric](target, preds.astype(np.float64))
    assert metric(preds, target) == pytest.approx(expected, abs=1e-12)


@each_function
@given(sample=labelled_scores())
def test_increasing_transforms_change_nothing(metric: Metric, sample: tuple[np.ndarray, np.ndarray]) -> None:
    preds, target = sample
    value = metric(preds, target)
    assert metric(1000 * preds - 7, target) == value
    assert metric(np.exp(5 * preds), target) == value


@given(sample=labelled_scores())
def test_auroc_of_negated_scores_is_the_complement(sample: tuple[np.ndarray, np.ndarray]) -> None:
    preds, target = sample
    assert auroc(-preds, target) == pytest.approx(1 - auroc(preds, target), abs=1e-12)
    assert auroc(preds, ~target) == pytest.approx(1 - auroc(preds, target), abs=1e-12)


@each_function
def test_large_separable_scores_give_one(metric: Metric) -> None:
    """A sigmoid anywhere inside would turn all of these into ties."""
    preds = np.linspace(20, 30, 100, dtype=np.float32)
    assert metric(preds, preds > 25) == 1.0


def test_constant_scores_say_nothing() -> None:
    preds, target = np.full(10, 0.3), np.arange(10) < 4
    assert auroc(preds, target) == 0.5
    assert average_precision(preds, target) == pytest.approx(0.4)
    assert f1_max(preds, target) == pytest.approx(2 * 0.4 / 1.4)


@given(sample=labelled_scores())
def test_f1_threshold_reaches_the_value_and_no_higher_one_does(sample: tuple[np.ndarray, np.ndarray]) -> None:
    preds, target = sample
    value, threshold = f1_max_point(preds, target)
    assert f1_score(target, preds >= threshold) == pytest.approx(value, abs=1e-12)
    higher = [f1_score(target, preds >= other) for other in np.unique(preds) if other > threshold]
    assert all(f1 < value - 1e-12 for f1 in higher)


@each_function
def test_a_missing_class_is_undefined(metric: Metric) -> None:
    for target in ([0, 0, 0], [1, 1, 1]):
        assert np.isnan(metric([0.1, 0.2, 0.3], target))
    assert np.isnan(metric([], []))
    assert isinstance(metric([0.1, 0.2], [0, 1]), float)


@each_class
def test_classes_name_the_missing_class(cls: type) -> None:
    for mode in ("exact", "streaming"):
        metric = cls(mode=mode)
        assert metric.undefined_reason() == "there are no samples"
        assert np.isnan(metric.compute())
        assert np.isnan(metric.error_bound())
        metric.update([0.5], [1])
        assert metric.undefined_reason() == "there are no normal samples"
        assert np.isnan(metric.compute())
        metric.reset()
        metric.update([0.5], [0])
        assert metric.undefined_reason() == "there are no anomalous samples"
        assert np.isnan(metric.compute())
        metric.update([0.6], [1])
        assert metric.undefined_reason() is None
        assert metric.compute() == 1.0
    assert np.isnan(F1Max().point().threshold)


def test_updates_keep_no_reference_to_the_callers_buffer() -> None:
    buffer, metric = np.array([0.1, 0.9]), AUROC()
    metric.update(buffer, [0, 1])
    buffer[:] = [0.9, 0.1]
    assert metric.compute() == 1.0
    metric.compute()
    preds = np.array([0.9, 0.1, 0.5])
    auroc(preds, [0, 0, 1])
    assert preds.tolist() == [0.9, 0.1, 0.5]


@each_function
def test_tensors_arrays_and_lists_are_the_same_to_it(metric: Metric) -> None:
    preds, target = [0.25, 0.5, 0.375, 0.75], [0, 0, 1, 1]
    expected = metric(preds, target)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        scores = torch.tensor(preds, dtype=dtype, requires_grad=True)
        assert metric(scores, torch.tensor(target)) == expected
    assert metric([torch.tensor(p) for p in preds], [torch.tensor(t) for t in target]) == expected
    assert metric([torch.tensor(p) for p in preds], target) == expected
    assert metric(tuple(preds), np.array(target, dtype=np.float32)) == expected
    assert metric(np.array(preds).reshape(2, 2), np.array(target, dtype=bool).reshape(2, 2)) == expected
    assert metric((np.array(preds) * 8).astype(np.int64), target) == expected


def test_narrow_floats_and_large_integers_lose_nothing() -> None:
    assert auroc(np.array([2**24, 2**24 + 1]), [0, 1]) == 1.0  # equal in float32
    metric = AUROC(mode="streaming")
    metric.update(np.array([0.999, 1.0], np.float16), [0, 1])  # 1.0 * 65,536 overflows float16
    assert metric.compute() == 1.0


@each_function
def test_lists_of_arrays_may_differ_in_size(metric: Metric) -> None:
    random = np.random.default_rng(9)
    preds = [random.random((3, 4)), random.random((5, 2)), random.random((1, 7))]
    target = [random.random(scores.shape) < 0.4 for scores in preds]
    flat_preds, flat_target = (np.concatenate([part.ravel() for part in parts]) for parts in (preds, target))
    assert metric(preds, target) == metric(flat_preds, flat_target)


@pytest.mark.parametrize(
    ("preds", "target", "message"),
    [
        ([0.1, float("nan"), float("nan")], [0, 1, 1], "2 of 3 scores are NaN and 0 are infinite"),
        ([0.1, float("inf"), 0.3], [0, 1, 1], "0 of 3 scores are NaN and 1 are infinite"),
        ([0.1, 0.2], [0, 1, 1], r"\(2,\) but `target` has shape \(3,\)"),
        ([0.1, 0.2], [0, 255], "found 255"),
        ([0.1, 0.2], [0.5, 1.0], "found 0.5"),
        ([0.1, 0.2], [0, -1], "found -1"),
        (["a", "b"], [0, 1], "`preds` must hold real numbers"),
        ([[0.1, 0.2], [0.3]], [[0, 1], [1]], "cannot be read as an array"),
        ([1j, 0.2], [0, 1], "`preds` must hold real numbers"),
        ([0.1, 0.2], None, "`target` must hold real numbers"),
        ([np.zeros(2), np.zeros(2)], [np.zeros(2)], "lists 2 arrays but `target` lists 1"),
    ],
)
def test_bad_input_is_named(preds: Any, target: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        auroc(preds, target)


def test_a_refused_batch_leaves_the_metric_as_it_was() -> None:
    for mode in ("exact", "streaming"):
        metric = AUROC(mode=mode)
        metric.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        with pytest.raises(InputError):
            metric.update([np.array([0.1]), np.array([np.nan])], [np.array([1]), np.array([0])])
        assert metric.compute() == 0.75
    with pytest.raises(InputError, match=r"0.2 to 1.5 leave the histogram range \[0, 1\]"):
        metric.update([np.array([0.1]), np.array([0.2, 1.5])], [np.array([1]), np.array([0, 0])])
    assert metric.compute() == 0.75


def test_rounding_just_past_the_range_is_accepted() -> None:
    metric = AUROC(mode="streaming")
    metric.update(np.array([-1e-7, 1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32), [0, 1, 1])
    assert metric.compute() == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "fast"},
        {"mode": "streaming", "bins": 1},
        {"mode": "streaming", "bins": 2**25},
        {"mode": "streaming", "score_range": (1.0, 0.0)},
        {"mode": "streaming", "score_range": (0.0, float("inf"))},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AUROC(**settings)


def test_only_equals_merge() -> None:
    streaming = AUROC(mode="streaming")
    for other in (AUROC(), AUROC(mode="streaming", bins=8), AUROC(mode="streaming", score_range=(0, 2))):
        with pytest.raises(ConfigError):
            streaming.merge(other)
    with pytest.raises(ConfigError):
        AUROC().merge(streaming)
    with pytest.raises(ConfigError, match="AUROC cannot merge a F1Max"):
        AUROC().merge(F1Max())  # type: ignore[arg-type]
