"""Where the tiles of one axis lie and how much each counts where they overlap. The two axes are independent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """First pixels of the tiles of one axis: evenly spread, all inside, neighbours share at least `overlap * tile`.

    >>> tile_starts(1000, 400, 0.25), tile_starts(300, 400, 0.25)
    ([0, 300, 600], [0])
    """
    if length <= tile:
        return [0]
    step = max(1, tile - math.ceil(overlap * tile))
    count = math.ceil((length - tile) / step) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def tile_weights(length: int, tile: int, starts: list[int]) -> list[NDArray[np.float32]]:
    """Blending weights of each tile along one axis, float32 (min(tile, length),): they sum to 1 at every pixel.

    Each tile has a raised cosine sin^2(pi (i + 1/2) / tile), divided by the sum over the tiles there. So a tile counts
    alone where it is alone, fades out smoothly towards its border, where the model has seen the least around a pixel,
    and a single tile counts exactly 1.
    """
    side = min(tile, length)
    window = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += window
    return [(window / total[start : start + side]).astype(np.float32) for start in starts]
