"""Dice and IoU against scikit-learn's F1 and Jaccard scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics import Dice, IoU, dice, f1_max_point, iou

PAIRS = [(dice, Dice, f1_score), (iou, IoU, jaccard_score)]
each = pytest.mark.parametrize(("function", "cls", "expected"), PAIRS, ids=["dice", "iou"])


def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    masks = random.random((3, 8, 8)) < 0.3
    return (random.integers(0, 20, masks.shape) / 20 + 0.2 * masks).astype(np.float32), masks


@each
@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.9])
def test_equals_scikit_learn(function: Callable, cls: type, expected: Callable, threshold: float) -> None:
    maps, masks = sample(0)
    value = expected(masks.ravel(), maps.ravel() >= np.float32(threshold))
    assert function(maps, masks, threshold=threshold) == pytest.approx(value, abs=1e-12)
    assert function(torch.from_numpy(maps), list(masks), threshold=threshold) == pytest.approx(value, abs=1e-12)
    first, second = cls(threshold=threshold), cls(threshold=threshold)
    first.update(maps[0], masks[0])
    second.update(maps[1:], masks[1:])
    first.merge(second)
    assert first.compute() == pytest.approx(value, abs=1e-12)
    first.reset()
    assert np.isnan(first.compute())


def test_a_score_at_the_threshold_counts() -> None:
    assert dice([0.5], [1]) == 1.0
    assert iou([0.5], [0]) == 0.0


def test_dice_at_the_best_threshold_is_f1_max() -> None:
    maps, masks = sample(1)
    best = f1_max_point(maps, masks)
    assert dice(maps, masks, threshold=best.threshold) == pytest.approx(best.value, abs=1e-12)


@each
def test_undefined_and_zero(function: Callable, cls: type, expected: Callable) -> None:
    assert np.isnan(function([0.1], [0]))
    assert np.isnan(function([], []))
    assert function([0.1], [1]) == 0.0
    metric = cls()
    metric.update([0.1], [0])
    assert metric.undefined_reason() == "nothing is anomalous and nothing was called so"
    metric.update([0.1], [1])
    assert metric.undefined_reason() is None


@each
def test_bad_input_and_settings(function: Callable, cls: type, expected: Callable) -> None:
    with pytest.raises(InputError, match="1 of 2 scores are NaN"):
        function([0.1, np.nan], [0, 1])
    with pytest.raises(ConfigError, match="finite"):
        cls(threshold=float("nan"))
    with pytest.raises(ConfigError, match="threshold"):
        cls().merge(cls(threshold=0.4))
    with pytest.raises(ConfigError):
        Dice().merge(IoU())  # type: ignore[arg-type]
