"""Curves over all thresholds, thinned to what a plot can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.metrics.ranking import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 201


@dataclass(frozen=True)
class PixelCurve:
    """ROC and precision-recall of a class's pixels: (fpr, tpr) and (recall, precision), from the highest threshold on.

    Each axis has at most POINTS values in [0, 1]; both curves pass exactly through each of their points.
    """

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    recall: tuple[float, ...]
    precision: tuple[float, ...]

    @classmethod
    def of(cls, ranking: Ranking) -> PixelCurve:
        """Both curves of a ranking that has normal and anomalous items."""
        before = ranking.found - ranking.mass
        alarms = np.stack([ranking.above, ranking.reach], axis=-1).ravel() / ranking.normals  # before, after each group
        hits = np.stack([before, ranking.found], axis=-1).ravel() / ranking.total
        fpr, tpr = _thinned(np.concatenate([[0], alarms, [1]]), np.concatenate([[0], hits, [1]]))
        recall, precision = _thinned(ranking.found / ranking.total, ranking.found / (ranking.found + ranking.reach))
        return cls(fpr, tpr, recall, precision)


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """At most POINTS of the points, evenly along the way the curve goes, both ends among them."""
    way = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    wanted = np.searchsorted(way, np.linspace(0.0, way[-1], POINTS))
    kept = np.unique(np.clip(wanted, 0, x.size - 1))
    kept[-1] = x.size - 1
    return tuple(x[kept].tolist()), tuple(y[kept].tolist())
