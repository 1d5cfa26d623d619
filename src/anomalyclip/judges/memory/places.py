"""Same-place search: patches compared with those at the same place of a good picture, or a few patches beside it.

It finds parts that are missing or swapped, which any-place search cannot: a good patch in the wrong place is a good
patch. Pictures must lie alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def near_places(
    patches: Floats, picture: Floats, grid: tuple[int, int], radius: int
) -> tuple[Floats, NDArray[np.intp]]:
    """Squared Euclidean distances (N,) of patches (N, D) to the nearest patch (N, D) of a picture at most `radius` rows
    and columns away, and which patch that is, 0..N-1. grid: (h, w), N = h w.
    """
    height, width = grid
    mine, other = (np.ascontiguousarray(values).reshape(height, width, -1) for values in (patches, picture))
    best = np.full(grid, np.inf, np.float32)
    place = np.zeros(grid, np.intp)
    numbers = np.arange(height * width).reshape(grid)
    for down in range(-min(radius, height - 1), min(radius, height - 1) + 1):
        for right in range(-min(radius, width - 1), min(radius, width - 1) + 1):
            here = (_span(height, -down), _span(width, -right))
            there = (_span(height, down), _span(width, right))
            difference = mine[here] - other[there]
            squared = np.einsum("hwd,hwd->hw", difference, difference)
            nearer = squared < best[here]
            best[here] = np.where(nearer, squared, best[here])
            place[here] = np.where(nearer, numbers[there], place[here])
    return best.ravel(), place.ravel()


def _span(length: int, shift: int) -> slice:
    """Indices i of an axis for which i - shift lies on it, too."""
    return slice(max(shift, 0), length + min(shift, 0))
