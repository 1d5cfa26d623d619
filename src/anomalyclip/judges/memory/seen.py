"""One view of a picture as the encoder and the words saw it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomalyclip.scoring_arrays import map_peak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

APART = 3
"""Rows or columns of patches from which on two neighbourhoods of 3 x 3 patches have none in common."""
AT_ONCE = 512
"""Patches, about, that are compared with all others in one product."""

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
    score: float = math.nan

    @cached_property
    def to_itself(self) -> Floats:
        """(N,) 1 - cos to the nearest of its own patches that share nothing with a patch; infinite where none does."""
        height, width = self.grid
        beside = abs(np.subtract.outer(np.arange(width), np.arange(width))) < APART
        nearest = np.empty((height, width), np.float32)
        some = max(1, AT_ONCE // width)
        for start in range(0, height, some):
            cosines = self.described[start * width : (start + some) * width] @ self.described.T
            for row, by_place in enumerate(cosines.reshape(-1, width, height, width), start):
                near = by_place[:, max(0, row - APART + 1) : row + APART]
                np.copyto(near, -np.inf, where=beside[:, None])
            nearest[start : start + some] = cosines.max(axis=1).reshape(-1, width)
        return np.asarray(1 - nearest.ravel(), np.float32)


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
