"""Dice and IoU at a threshold: how well the pixels called anomalous cover the mask. Exact and bounded: three counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.metrics.arrays import checked_pairs

if TYPE_CHECKING:
    from typing_extensions import Self

    from anomalyclip.metrics.arrays import Values


class _Counts(NamedTuple):
    """Pixels (or items): anomalous and called so, normal but called anomalous, anomalous but missed."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0


def _overlap_update(preds: Values, target: Values, threshold: float) -> _Counts:
    """Count over all pairs; an item is called anomalous when score >= threshold."""
    total = _Counts()
    for scores, labels in checked_pairs(preds, target):
        called = scores >= threshold
        hits = int(np.count_nonzero(called & labels))
        counts = _Counts(hits, int(np.count_nonzero(called)) - hits, int(np.count_nonzero(labels)) - hits)
        total = _Counts(*(a + b for a, b in zip(total, counts, strict=True)))
    return total


def _dice_compute(counts: _Counts) -> float:
    whole = 2 * counts.hits + counts.false_alarms + counts.misses
    return 2 * counts.hits / whole if whole else float("nan")


def _iou_compute(counts: _Counts) -> float:
    whole = sum(counts)
    return counts.hits / whole if whole else float("nan")


def dice(preds: Values, target: Values, *, threshold: float = 0.5) -> float:
    """Dice 2 |A and B| / (|A| + |B|) between the pixels with score >= `threshold` and the masks, over all images.

    Equals pixel F1; with `f1_max_point(...).threshold` it equals F1-max. Shapes as for `auroc`. Returns a float in
    [0, 1]; NaN when nothing is anomalous and nothing is called so. Raises InputError for bad input.

    >>> dice([[0.9, 0.6], [0.2, 0.7]], [[1, 0], [0, 1]])
    0.8
    """
    return _dice_compute(_overlap_update(preds, target, threshold))


def iou(preds: Values, target: Values, *, threshold: float = 0.5) -> float:
    """Intersection over union |A and B| / |A or B|; everything else as for `dice`.

    >>> round(iou([[0.9, 0.6], [0.2, 0.7]], [[1, 0], [0, 1]]), 6)
    0.666667
    """
    return _iou_compute(_overlap_update(preds, target, threshold))


class _Overlap:
    """Counts over everything passed to `update`, in constant memory.

    Raises ConfigError for a threshold that is not finite.
    """

    def __init__(self, *, threshold: float = 0.5) -> None:
        if not np.isfinite(threshold):
            raise ConfigError(f"`threshold` must be a finite number, got {threshold}.")
        self.threshold = float(threshold)
        self._counts = _Counts()

    def update(self, preds: Values, target: Values) -> None:
        """Add scores and labels of equal shape: one image, a batch, or a list; raises before anything is added."""
        self._add(_overlap_update(preds, target, self.threshold))

    def merge(self, other: Self) -> None:
        """Take over what `other` counted at the same threshold."""
        if type(other) is not type(self) or other.threshold != self.threshold:
            raise ConfigError(f"{type(self).__name__} merges only its own kind at the same threshold {self.threshold}.")
        self._add(other._counts)

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._counts = _Counts()

    def undefined_reason(self) -> str | None:
        """Why `compute()` gives NaN, or None when it gives a number."""
        return None if any(self._counts) else "nothing is anomalous and nothing was called so"

    def _add(self, counts: _Counts) -> None:
        self._counts = _Counts(*(a + b for a, b in zip(self._counts, counts, strict=True)))


class Dice(_Overlap):
    """Dice of everything passed to `update`.

    >>> metric = Dice(threshold=0.5)
    >>> metric.update([[0.9, 0.6], [0.2, 0.7]], [[1, 0], [0, 1]])
    >>> metric.compute()
    0.8
    """

    def compute(self) -> float:
        """In [0, 1]; NaN when nothing is anomalous and nothing was called so."""
        return _dice_compute(self._counts)


class IoU(_Overlap):
    """IoU of everything passed to `update`.

    >>> metric = IoU(threshold=0.65)
    >>> metric.update([[0.9, 0.6], [0.2, 0.7]], [[1, 0], [0, 1]])
    >>> metric.compute()
    1.0
    """

    def compute(self) -> float:
        """In [0, 1]; NaN when nothing is anomalous and nothing was called so."""
        return _iou_compute(self._counts)
