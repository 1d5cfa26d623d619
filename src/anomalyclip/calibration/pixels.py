"""Thresholds for anomaly maps, with a guarantee per image or per pixel.

per image: a map's peak is its highest value, and the peaks of n normal images are n scores like any others:
`conformal_threshold` of them leaves at most `rate` of normal images with any pixel at or above it, so with any region.

per pixel: let L_i(t) be the share of the pixels of image i at or above t. The smallest t with

    (L_1(t) + ... + L_n(t) + 1) / (n + 1) <= rate

has E[L_{n+1}(t)] <= rate for the next exchangeable image (conformal risk control, Angelopoulos et al., 2022, theorem 1
with losses in [0, 1]). Images count alike whatever their size, and pixels of one image need not be independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.conformal import allowed
from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Bins are the upper 20 bits of a float32 in [0, 1]: ascending like the values, 0.05% wide at any magnitude.
_SHIFT = 12
_BINS = (int(np.float32(1).view(np.uint32)) >> _SHIFT) + 2  # one more for "above 1"


class PixelShares:
    """Adds up L_i(t) of any number of maps at every bin's lower edge; 2 MB whatever their number and size."""

    def __init__(self) -> None:
        self.count = 0
        self._mass = np.zeros(_BINS)  # sum over images of the share of their pixels in each bin

    def add(self, anomaly_map: NDArray[np.float32]) -> None:
        """Count the values of one map, float32 in [0, 1]. Raises InputError for values that are no number."""
        values = np.ascontiguousarray(anomaly_map, dtype=np.float32).ravel()
        if not np.isfinite(values).all():
            raise InputError("the anomaly map holds values that are no number")
        bits = np.clip(values, 0, 1).view(np.uint32) >> _SHIFT
        lowest = int(bits.min())
        counts = np.bincount(bits - lowest)  # of the bins between the lowest and the highest value only
        self._mass[lowest : lowest + counts.size] += counts / values.size
        self.count += 1

    def extend(self, other: PixelShares) -> None:
        """Count the maps that `other` counted, too."""
        self._mass += other._mass
        self.count += other.count

    def threshold(self, rate: float) -> float:
        """The smallest bin edge t that keeps the share of normal pixels with `value >= t` at `rate` or below.

        Raises ConfigError where so few images cannot support the rate, see `anomalyclip.calibration.conformal.allowed`.
        """
        allowed(self.count, rate)
        above = np.cumsum(self._mass[::-1])[::-1]
        first = int(np.argmax((above + 1) / (self.count + 1) <= rate))
        return float(np.uint32(first << _SHIFT).view(np.float32))
