"""Average precision: precision at each anomalous item's own threshold, averaged over the anomalous items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.metrics.arrays import FloatArray
from anomalyclip.metrics.base import RankMetric, widest
from anomalyclip.metrics.ranking import Ranking, where_defined

if TYPE_CHECKING:
    from anomalyclip.metrics.arrays import Values


def _average_precision_compute(ranking: Ranking) -> FloatArray:
    """Sum of recall steps times the precision at their end (no interpolation), ties taken together."""
    found = ranking.found
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = found / (found + ranking.reach)
        # a bootstrap resample may miss a group altogether: 0 / 0 with no recall step to weigh it
        value = np.where(ranking.mass > 0, ranking.mass * precision, 0.0).sum(axis=-1) / ranking.total
    return where_defined(value, ranking)


def _average_precision_bound(ranking: Ranking) -> FloatArray:
    """The k-th anomalous item of a bin has a precision between (T+k) / (T+k+FP_after) and (T+m) / (T+m+FP_before).

    T = anomalous items above the bin, m = in it. The lower end is concave in k, so the mean of its first and last value
    bounds its mean from below.
    """
    found, mass = ranking.found, ranking.mass
    with np.errstate(invalid="ignore", divide="ignore"):
        first = found - mass + 1
        low = mass * (first / (first + ranking.reach) + found / (found + ranking.reach)) / 2
        high = mass * found / (found + ranking.above)
        estimate = mass * found / (found + ranking.reach)
        value = widest(estimate.sum(axis=-1), low.sum(axis=-1), high.sum(axis=-1)) / ranking.total
    return where_defined(value, ranking)


def average_precision(preds: Values, target: Values) -> float:
    """Average precision (AP) as scikit-learn defines it: step-wise, equal scores share one threshold; exact.

    `preds`: finite scores of any shape and scale, higher = more anomalous. `target`: 0/1 or booleans, same shape.
    Returns a float in [0, 1]; NaN when `target` holds only one class (without normal items every model would reach 1).
    Raises InputError for other input.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 6)
    0.833333
    """
    metric = AveragePrecision()
    metric.update(preds, target)
    return metric.compute()


class AveragePrecision(RankMetric):
    """AP of everything passed to `update`; see `RankMetric` for the two modes.

    Streaming error: the items of one bin share the precision at its lower edge; `error_bound()` adds up how far the
    precision of each could lie from that in the best and the worst order inside its bin.

    >>> metric = AveragePrecision(mode="streaming")
    >>> metric.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> round(metric.compute(), 6)
    0.833333
    """

    def _value(self, ranking: Ranking) -> FloatArray:
        return _average_precision_compute(ranking)

    def _bound(self, ranking: Ranking) -> FloatArray:
        return _average_precision_bound(ranking)
