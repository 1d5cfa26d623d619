"""Where scores wait until a metric is computed: all of them (exact), or a histogram of them (streaming).

Both stores answer with the same `Ranking`, so every metric is written once.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError
from anomalyclip.metrics.arrays import BoolArray, FloatArray, ScoreArray
from anomalyclip.metrics.histogram import DEFAULT_BINS as DEFAULT_BINS
from anomalyclip.metrics.histogram import ScoreHistogram
from anomalyclip.metrics.ranking import Ranking

Mode: TypeAlias = Literal["exact", "streaming"]


class ScoreStore(Protocol):
    """The contract of both stores."""

    def check(self, scores: ScoreArray) -> None:
        """Raise InputError when the scores cannot be kept; nothing is stored yet."""

    def add(self, scores: ScoreArray, anomalous: BoolArray, weights: FloatArray | None = None) -> None:
        """Keep scores (n,) with their labels (n,); `weights` (a,) belong to the anomalous ones, in order."""

    def merge(self, other: ScoreStore) -> None:
        """Take over what another store of the same settings holds."""

    def ranking(self, *, weighted: bool = False) -> Ranking:
        """The ranking with anomalous items counted, or weighted."""

    def above(self, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normal items and anomalous weight with scores > each of the ascending thresholds."""

    def extent(self) -> tuple[Any, Any] | None:
        """Lowest and highest score seen (scalars of the scores' own type where kept), None when empty."""


class ExactScores:
    """Keeps every score: 4 bytes per float32 item, 12 more per weighted anomalous item."""

    def __init__(self) -> None:
        self._normal: list[ScoreArray] = []
        self._anomalous: list[ScoreArray] = []
        self._weights: list[FloatArray] = []

    def check(self, scores: ScoreArray) -> None:
        """Every finite score can be kept."""

    def add(self, scores: ScoreArray, anomalous: BoolArray, weights: FloatArray | None = None) -> None:
        """Keep copies, so that the caller may reuse its buffers."""
        self._normal.append(scores[~anomalous])
        self._anomalous.append(scores[anomalous])
        if weights is not None:
            self._weights.append(weights)

    def merge(self, other: ScoreStore) -> None:
        """Append the other's scores; the order plays no part in any metric."""
        if not isinstance(other, ExactScores):
            raise ConfigError("An exact metric can only merge another exact one; build both with the same `mode`.")
        self._normal += other._normal
        self._anomalous += other._anomalous
        self._weights += other._weights

    def ranking(self, *, weighted: bool = False) -> Ranking:
        """Sort the classes apart: the normal one is large but plain, the anomalous one small but weighted."""
        normal, (anomalous, weights) = self._sorted_normal(), self._sorted_anomalous()
        mass = weights if weighted else np.ones(anomalous.size)
        starts = np.flatnonzero(np.diff(anomalous, prepend=np.nan) != 0)
        distinct = anomalous[starts]
        grouped = np.add.reduceat(mass, starts) if starts.size else mass
        return Ranking(
            thresholds=distinct[::-1].astype(np.float64),
            mass=grouped[::-1],
            above=(normal.size - np.searchsorted(normal, distinct, side="right"))[::-1].astype(np.float64),
            reach=(normal.size - np.searchsorted(normal, distinct, side="left"))[::-1].astype(np.float64),
            normals=np.asarray(float(normal.size)),
        )

    def above(self, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Exact counts."""
        normal, (anomalous, weights) = self._sorted_normal(), self._sorted_anomalous()
        heavier = np.append(np.cumsum(weights[::-1])[::-1], 0.0)  # weight of anomalous[i:]
        normals_above = normal.size - _count_up_to(normal, thresholds)
        return normals_above.astype(np.float64), heavier[_count_up_to(anomalous, thresholds)]

    def extent(self) -> tuple[Any, Any] | None:
        """Of both classes together."""
        parts = [part for part in (*self._normal, *self._anomalous) if part.size]
        return (min(part.min() for part in parts), max(part.max() for part in parts)) if parts else None

    def _sorted_normal(self) -> ScoreArray:
        merged = np.concatenate(self._normal) if len(self._normal) != 1 and self._normal else None
        normal: ScoreArray = merged if merged is not None else (self._normal or [np.empty(0)])[0]
        normal.sort()  # in place: these arrays are ours, and a second copy of all pixels would be the peak
        self._normal = [normal]
        return normal

    def _sorted_anomalous(self) -> tuple[ScoreArray, FloatArray]:
        anomalous = np.concatenate(self._anomalous) if self._anomalous else np.empty(0)
        weights = np.concatenate(self._weights) if self._weights else np.ones(anomalous.size)
        order = np.argsort(anomalous)
        return anomalous[order], weights[order]


def _count_up_to(ascending: ScoreArray, thresholds: FloatArray) -> NDArray[np.intp]:
    """How many values are <= each threshold. float64 thresholds are first rounded down to the values' own precision,
    which changes no answer but keeps `searchsorted` from copying all values to float64.
    """
    rounded = thresholds.astype(ascending.dtype)
    rounded = np.where(rounded > thresholds, np.nextafter(rounded, rounded.dtype.type(-np.inf)), rounded)
    return np.asarray(np.searchsorted(ascending, rounded, side="right"))


def make_store(mode: Mode, bins: int, score_range: tuple[float, float]) -> ScoreStore:
    """The store for a mode; unknown modes raise ConfigError."""
    if mode == "exact":
        return ExactScores()
    if mode == "streaming":
        return ScoreHistogram(bins, score_range)
    raise ConfigError(f'`mode` must be "exact" or "streaming", got {mode!r}.')
