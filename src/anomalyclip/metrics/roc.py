"""AUROC: the chance that an anomalous item scores higher than a normal one, ties counting one half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.metrics.arrays import FloatArray
from anomalyclip.metrics.base import RankMetric
from anomalyclip.metrics.ranking import Ranking, where_defined

if TYPE_CHECKING:
    from anomalyclip.metrics.arrays import Values


def _auroc_compute(ranking: Ranking) -> FloatArray:
    """Mean over the anomalous items of the share of normal items below them: the trapezoid area under the ROC curve."""
    with np.errstate(invalid="ignore", divide="ignore"):
        overtaking = (ranking.above + ranking.reach) / (2 * ranking.normals[..., None])
        value = (ranking.mass * (1 - overtaking)).sum(axis=-1) / ranking.total
    return where_defined(value, ranking)


def _auroc_bound(ranking: Ranking) -> FloatArray:
    """Pairs inside one bin count one half; truly each counts between 0 and 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs_in_doubt = (ranking.mass * (ranking.reach - ranking.above)).sum(axis=-1)
        value = pairs_in_doubt / (2 * ranking.normals * ranking.total)
    return where_defined(value, ranking)


def auroc(preds: Values, target: Values) -> float:
    """Area under the ROC curve (METHOD.md section 7; image or pixel level), exact, ties by mid-rank.

    `preds`: finite scores of any shape and scale, higher = more anomalous. `target`: 0/1 or booleans, same shape.
    Lists of arrays may differ in size from element to element. Returns a float in [0, 1]; NaN when `target` holds only
    one class. Raises InputError for other input.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    >>> auroc([20.0, 21.0, 29.0, 30.0], [0, 0, 1, 1])
    1.0
    """
    metric = AUROC()
    metric.update(preds, target)
    return metric.compute()


class AUROC(RankMetric):
    """AUROC of everything passed to `update`; see `RankMetric` for the two modes.

    Streaming error: at most half the share of (normal, anomalous) pairs whose two scores fall into one bin.

    >>> metric = AUROC(mode="streaming")
    >>> metric.update([0.1, 0.4], [0, 0])
    >>> metric.update([0.35, 0.8], [1, 1])
    >>> metric.compute(), metric.error_bound()
    (0.75, 0.0)
    """

    def _value(self, ranking: Ranking) -> FloatArray:
        return _auroc_compute(ranking)

    def _bound(self, ranking: Ranking) -> FloatArray:
        return _auroc_bound(ranking)
