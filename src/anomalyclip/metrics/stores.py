"""Where scores wait until a metric is computed: all of them (exact), or a histogram of them (streaming).

Both stores answer with the same `Ranking`, so every metric is written once.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics.arrays import BoolArray, FloatArray, ScoreArray
from anomalyclip.metrics.ranking import Ranking

Mode: TypeAlias = Literal["exact", "streaming"]
DEFAULT_BINS = 65_536
MAX_BINS = 2**24
CHUNK = 2**20  # items turned into bin numbers at a time: keeps a whole batch of maps from being copied as int64


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


class ScoreHistogram:
    """Counts scores in equal bins over a fixed range: a few megabytes, whatever the number of images.

    A bin is a group of ties. Binning keeps the order of scores in different bins, so only pairs inside one bin can be
    misjudged; each metric's `error_bound` adds up exactly those (genuine ties included: it cannot tell).
    """

    def __init__(self, bins: int = DEFAULT_BINS, score_range: tuple[float, float] = (0.0, 1.0)) -> None:
        low, high = score_range
        if not 2 <= bins <= MAX_BINS:
            raise ConfigError(f"`bins` must lie between 2 and {MAX_BINS}, got {bins}.")
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ConfigError(f"`score_range` must be two finite numbers, low < high, got {score_range}.")
        self.bins, self.score_range = bins, (float(low), float(high))
        self._normal = np.zeros(bins, np.int64)
        self._anomalous = np.zeros(bins, np.int64)
        self._weight = np.zeros(bins, np.float64)
        self._extent = (np.inf, -np.inf)

    def check(self, scores: ScoreArray) -> None:
        """Refuse scores outside the range: clipping them would turn their order into ties without a word."""
        low, high = self.score_range
        slack = (high - low) / self.bins  # rounding may push 1.0 just over the edge; one bin is within the error bound
        if scores.size and not low - slack <= float(scores.min()) <= float(scores.max()) <= high + slack:
            raise InputError(
                f"`preds` from {scores.min():.6g} to {scores.max():.6g} leave the histogram range [{low:g}, {high:g}]; "
                'pass `score_range=(low, high)` that holds them all, or `mode="exact"`.'
            )

    def add(self, scores: ScoreArray, anomalous: BoolArray, weights: FloatArray | None = None) -> None:
        """Count the scores; the arrays are not kept."""
        used = 0
        for start in range(0, scores.size, CHUNK):
            labels = anomalous[start : start + CHUNK]
            numbers = self._bin_numbers(scores[start : start + CHUNK])
            marked = numbers[labels]
            counts = np.bincount(marked, minlength=self.bins)
            self._anomalous += counts
            self._normal += np.bincount(numbers, minlength=self.bins) - counts
            if weights is not None and marked.size:
                self._weight += np.bincount(marked, weights[used : used + marked.size], minlength=self.bins)
            used += marked.size
        if scores.size:
            low, high = self._extent
            self._extent = (min(low, float(scores.min())), max(high, float(scores.max())))

    def merge(self, other: ScoreStore) -> None:
        """Add the other's counts."""
        if not isinstance(other, ScoreHistogram) or (other.bins, other.score_range) != (self.bins, self.score_range):
            raise ConfigError("Streaming metrics merge only with the same `mode`, `bins` and `score_range`.")
        self._normal += other._normal
        self._anomalous += other._anomalous
        self._weight += other._weight
        self._extent = (min(self._extent[0], other._extent[0]), max(self._extent[1], other._extent[1]))

    def ranking(self, *, weighted: bool = False) -> Ranking:
        """One group per bin that holds an anomalous item; its threshold is the bin's lower edge."""
        filled = np.flatnonzero(self._anomalous)[::-1]
        reach = np.cumsum(self._normal[::-1])[::-1]
        return Ranking(
            thresholds=self._edges()[filled],
            mass=(self._weight if weighted else self._anomalous)[filled].astype(np.float64),
            above=(reach - self._normal)[filled].astype(np.float64),
            reach=reach[filled].astype(np.float64),
            normals=np.asarray(float(self._normal.sum())),
        )

    def above(self, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Counts to within the bin that holds the threshold."""
        first = np.searchsorted(self._edges(), thresholds, side="right")
        normals = np.append(np.cumsum(self._normal[::-1])[::-1], 0).astype(np.float64)
        weight = np.append(np.cumsum(self._weight[::-1])[::-1], 0.0)
        return normals[first], weight[first]

    def extent(self) -> tuple[Any, Any] | None:
        """Exact, though the scores in between are binned."""
        return self._extent if self._extent[0] <= self._extent[1] else None

    def _edges(self) -> FloatArray:
        low, high = self.score_range
        return np.asarray(low + (high - low) / self.bins * np.arange(self.bins), dtype=np.float64)

    def _bin_numbers(self, scores: ScoreArray) -> NDArray[np.intp]:
        """Shift, scale, truncate: each step keeps the order, in any float precision."""
        low, high = self.score_range
        position = scores if low == 0.0 else scores - scores.dtype.type(low)
        numbers: NDArray[np.intp] = (position * scores.dtype.type(self.bins / (high - low))).astype(np.intp)
        if numbers.min() < 0 or numbers.max() >= self.bins:
            np.clip(numbers, 0, self.bins - 1, out=numbers)
        return numbers


def make_store(mode: Mode, bins: int, score_range: tuple[float, float]) -> ScoreStore:
    """The store for a mode; unknown modes raise ConfigError."""
    if mode == "exact":
        return ExactScores()
    if mode == "streaming":
        return ScoreHistogram(bins, score_range)
    raise ConfigError(f'`mode` must be "exact" or "streaming", got {mode!r}.')
