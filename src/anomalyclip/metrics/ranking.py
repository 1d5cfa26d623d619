"""What every rank metric needs to know, and nothing more: how the normal items lie around each anomalous score.

Ranks are all that count. No sigmoid, no rescaling: scores of 20..30 are as good as scores of 0..1, and any strictly
increasing transform leaves every metric in this package unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalyclip.metrics.arrays import FloatArray

UNDEFINED = {
    (True, True): "there are no samples",
    (True, False): "there are no normal samples",
    (False, True): "there are no anomalous samples",
}


@dataclass(frozen=True)
class Ranking:
    """Groups of equal score, highest first. A leading axis (...) holds independent rankings (bootstrap resamples).

    Attributes:
        thresholds: (G,) the score of each group; an item is called anomalous when its score >= threshold.
        mass: (..., G) anomalous items in the group: a count, or the sum of their weights.
        above: (..., G) normal items that score higher than the group.
        reach: (..., G) normal items that score at least as high: `above` plus the ties.
        normals: (...) all normal items.
    """

    thresholds: FloatArray
    mass: FloatArray
    above: FloatArray
    reach: FloatArray
    normals: FloatArray

    @property
    def total(self) -> FloatArray:
        """(...) all anomalous items (or their weight)."""
        return np.asarray(self.mass.sum(axis=-1))

    @property
    def found(self) -> FloatArray:
        """(..., G) anomalous items that score at least as high as the group: the true positives of its threshold."""
        return np.asarray(np.cumsum(self.mass, axis=-1))

    def undefined_reason(self) -> str | None:
        """Why a rank metric has no value here, or None where it has one."""
        return UNDEFINED.get((not np.any(self.normals > 0), not np.any(self.total > 0)))


def where_defined(value: FloatArray, ranking: Ranking) -> FloatArray:
    """`value`, or NaN where one of the two classes is missing: a ranking needs both."""
    return np.where((ranking.normals > 0) & (ranking.total > 0), value, np.nan)
