"""F1-max: the best F1 score that any threshold reaches, and that threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.metrics.arrays import FloatArray
from anomalyclip.metrics.base import RankMetric
from anomalyclip.metrics.ranking import Ranking, where_defined

if TYPE_CHECKING:
    from anomalyclip.metrics.arrays import Values


class F1Point(NamedTuple):
    """The best F1 score and the highest threshold that reaches it (call an item anomalous when score >= threshold)."""

    value: float
    threshold: float


def _f1_curve(ranking: Ranking) -> FloatArray:
    """(..., G) F1 at each group's threshold; thresholds between two anomalous scores only add false alarms."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * ranking.found / (ranking.found + ranking.reach + ranking.total[..., None])


def _f1_max_compute(ranking: Ranking) -> FloatArray:
    best = np.max(_f1_curve(ranking), axis=-1, initial=0.0)
    return where_defined(best, ranking)


def _f1_max_bound(ranking: Ranking) -> FloatArray:
    """A cut inside a bin finds at most the bin's anomalous items, with no false alarm of that bin."""
    with np.errstate(invalid="ignore", divide="ignore"):
        high = 2 * ranking.found / (ranking.found + ranking.above + ranking.total[..., None])
    return where_defined(np.max(high, axis=-1, initial=0.0) - _f1_max_compute(ranking), ranking)


def _f1_point(ranking: Ranking) -> F1Point:
    if ranking.undefined_reason() is not None:
        return F1Point(float("nan"), float("nan"))
    curve = _f1_curve(ranking)
    best = int(np.argmax(curve))  # the first = the highest threshold among equals: fewest alarms
    return F1Point(float(curve[best]), float(ranking.thresholds[best]))


def f1_max(preds: Values, target: Values) -> float:
    """Best F1 over all distinct thresholds, exact (image or pixel level).

    `preds`: finite scores of any shape and scale, higher = more anomalous. `target`: 0/1 or booleans, same shape.
    Returns a float in [0, 1]; NaN when `target` holds only one class. Raises InputError for other input.

    >>> f1_max([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.8
    """
    return f1_max_point(preds, target).value


def f1_max_point(preds: Values, target: Values) -> F1Point:
    """`f1_max` together with the threshold that reaches it, in the units of `preds`; both NaN where undefined.

    >>> f1_max_point([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    F1Point(value=0.8, threshold=0.35)
    """
    metric = F1Max()
    metric.update(preds, target)
    return metric.point()


class F1Max(RankMetric):
    """F1-max of everything passed to `update`; see `RankMetric` for the two modes.

    Streaming: only bin edges serve as thresholds, so the value never exceeds the exact one, and falls short of it by at
    most `error_bound()`: the gain if the best bin held its anomalous items above its normal ones.

    >>> metric = F1Max()
    >>> metric.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> metric.point()
    F1Point(value=0.8, threshold=0.35)
    """

    def point(self) -> F1Point:
        """Value and threshold; in streaming mode the threshold is the lower edge of a bin."""
        return _f1_point(self._ranking())

    def _value(self, ranking: Ranking) -> FloatArray:
        return _f1_max_compute(ranking)

    def _bound(self, ranking: Ranking) -> FloatArray:
        return _f1_max_bound(ranking)
