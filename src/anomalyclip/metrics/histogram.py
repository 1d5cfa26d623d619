"""Scores counted in bins: what streaming metrics keep of any number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics.arrays import BoolArray, FloatArray, ScoreArray
from anomalyclip.metrics.ranking import Ranking

if TYPE_CHECKING:
    from anomalyclip.metrics.stores import ScoreStore

DEFAULT_BINS = 65_536
MAX_BINS = 2**24
CHUNK = 2**20  # items turned into bin numbers at a time: keeps a whole batch of maps from being copied as int64
_PER_OCTAVE = 128  # of the equal bins to one of the parts that a power of two in the lowest of them has


class ScoreHistogram:
    """Counts scores in bins over a fixed range: a few megabytes, whatever the number of images.

    `bins` equal ones; the lowest is cut again, into equal parts of every power of two (512 at 65,536 bins), so that
    maps whose values all lie near the lower end, at 1e-12 as well as at 1e-5, keep their order to 0.2% of each value.

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
        self._shift = 23 - max(0, (bins // _PER_OCTAVE).bit_length() - 1)  # of float32's 23 bits of fraction
        self._fine = 1 + (_bits(np.asarray([(high - low) / bins])) >> self._shift).item()
        count = self._fine + bins - 1
        self._normal = np.zeros(count, np.int64)
        self._anomalous = np.zeros(count, np.int64)
        self._weight = np.zeros(count, np.float64)
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
            counts = np.bincount(marked, minlength=self._normal.size)
            self._anomalous += counts
            self._normal += np.bincount(numbers, minlength=self._normal.size) - counts
            if weights is not None and marked.size:
                self._weight += np.bincount(marked, weights[used : used + marked.size], minlength=self._normal.size)
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
        fine = (np.arange(self._fine, dtype=np.int32) << self._shift).view(np.float32).astype(np.float64)
        return low + np.concatenate([fine, (high - low) / self.bins * np.arange(1, self.bins)])

    def _bin_numbers(self, scores: ScoreArray) -> NDArray[np.intp]:
        """Shift, scale, truncate: each step keeps the order, in any float precision."""
        low, high = self.score_range
        position = scores if low == 0.0 else scores - scores.dtype.type(low)
        numbers: NDArray[np.intp] = (position * scores.dtype.type(self.bins / (high - low))).astype(np.intp)
        if numbers.min() < 0 or numbers.max() >= self.bins:
            np.clip(numbers, 0, self.bins - 1, out=numbers)
        lowest = np.flatnonzero(numbers == 0)
        numbers += self._fine - 1
        if lowest.size:
            numbers[lowest] = np.minimum(_bits(position[lowest]) >> self._shift, self._fine - 1)
        return numbers


def _bits(values: ScoreArray) -> NDArray[np.int32]:
    """Numbers of 0 or more (below it: 0) as whole numbers in the same order: float32's own bits."""
    floats: NDArray[np.float32] = np.maximum(values.astype(np.float32), np.float32(0)) + np.float32(0)  # -0.0 to 0.0
    return floats.view(np.int32)
