"""WinCLIP+'s association maps: distances of windows brought to patches by harmonic means (arXiv 2303.14814)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def association(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1 - cos) / 2 in [0, 1] from squared distances of unit vectors."""
    return np.clip(distances / 4, 0, 1)


def harmonic_over_windows(values: NDArray[np.float32], grid: tuple[int, int], side: int) -> NDArray[np.float64]:
    """Per patch (B, h, w), the harmonic mean of the values (B, windows) of the side x side windows that hold it.

    Windows lie row by row at stride 1. A mean that holds a 0 is 0: the authors' code gives infinity there (and then 0),
    or a wrong sign where rounding left a tiny negative distance.
    """
    height, width = grid
    rows, columns = height - side + 1, width - side + 1
    values = values.reshape(-1, rows, columns).astype(np.float64)
    with np.errstate(divide="ignore"):
        inverse = 1 / np.maximum(values, 0)
    sums = np.zeros((len(values), height, width))
    covering = np.zeros((height, width))
    for row in range(side):
        for column in range(side):
            sums[:, row : row + rows, column : column + columns] += inverse
            covering[row : row + rows, column : column + columns] += 1
    return covering / sums
