"""One view of a picture as the encoder and the words saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomalyclip.judges.memory.peaks import top_count
from anomalyclip.scoring_arrays import map_peak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

APART = 3
"""Rows or columns of patches from which on two neighbourhoods of 3 x 3 patches have none in common."""
AT_ONCE = 48
"""Patches, of each statistic that is still open, that are compared with all others in one product."""

_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Seen:
    """One view as the encoder and the words judge saw it.

    Attributes:
        described: (N, D) unit vectors of its patches. grid: (h, w), N = h w.
        words: (N,) the words' map on patches. whole: what the words say of all of it, in (0, 1).
        anomaly_map: (H, W) the words' map at the model's input. score: their image score.
    """

    described: Floats
    grid: tuple[int, int]
    words: Floats
    whole: float
    anomaly_map: Floats
    score: float

    def to_itself(self, patches: NDArray[np.intp]) -> Floats:
        """(n,) 1 - cos of patches (n,) to its nearest own one that shares nothing with it; infinite where none does."""
        (height, width), (rows, columns) = self.grid, np.divmod(patches, self.grid[1])
        cosines = (self.described[patches] @ self.described.T).reshape(-1, height, width)
        beside = abs(rows[:, None] - np.arange(height)) < APART, abs(columns[:, None] - np.arange(width)) < APART
        np.copyto(cosines, -np.inf, where=beside[0][:, :, None] & beside[1][:, None])
        return np.asarray(1 - cosines.max(axis=(1, 2)), np.float32)

    def novelty(self, distances: Floats) -> tuple[float, float]:
        """Means of the hottest 1% of min(d, s), and of min(d, s) z: d distances (N,), s :meth:`to_itself`, z the words.

        Until a patch is asked for its s, d bounds it: the patches that could be among the hottest are asked, no others.
        """
        novel, asked = distances.copy(), np.zeros(len(distances), bool)
        most, at_once = top_count(len(distances)), min(AT_ONCE, len(distances))
        while True:
            weighed = novel, novel * self.words
            hottest = [np.argpartition(values, -most)[-most:] for values in weighed]
            open_ones = [values for values, hot in zip(weighed, hottest, strict=True) if not asked[hot].all()]
            if not open_ones:
                return float(novel[hottest[0]].mean()), float(weighed[1][hottest[1]].mean())
            some = np.zeros(len(distances), bool)
            for values in open_ones:
                some[np.argpartition(np.where(asked, -np.inf, values), -at_once)[-at_once:]] = True
            places = np.flatnonzero(some & ~asked)
            novel[places] = np.minimum(distances[places], self.to_itself(places))
            asked[places] = True


def class_scores(scores: Floats, maps: Floats, peak: tuple[float, float]) -> NDArray[np.float64]:
    """What the words say of the whole view (B,), in (0, 1): their score without the part of the map's peak.

    peak: (weight, share), see :class:`anomalyclip.judges.base.Judge`.
    """
    whole = np.asarray(scores, np.float64)
    weight, share = peak
    if 0 < weight < 1:
        whole = (whole - weight * map_peak(maps.reshape(len(maps), -1), share)) / (1 - weight)
    return np.asarray(np.clip(whole, _TINY, 1 - _TINY))


def on_patches(maps: Floats, grid: tuple[int, int]) -> Floats:
    """Maps (B, H, W) averaged over patches, (B, N)."""
    small = [cv2.resize(np.ascontiguousarray(one), grid[::-1], interpolation=cv2.INTER_AREA).ravel() for one in maps]
    return np.asarray(small, np.float32)
