"""From values of patches to maps of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def upsampled(grid: Floats, size: tuple[int, ...], sigma: float) -> Floats:
    """Patch values (h, w) at `size` (H, W): bilinear, half-pixel centres, then a Gaussian of sigma pixels."""
    out = cv2.resize(np.ascontiguousarray(grid, np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if sigma > 0:
        side = 2 * int(4 * sigma + 0.5) + 1
        out = cv2.GaussianBlur(out, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(out, np.float32)


def upsampled_by_corners(grid: Floats, size: tuple[int, ...]) -> Floats:
    """The same where the outermost values lie on the outermost pixels (`align_corners`), as APRIL-GAN does it."""
    rows, columns = (_weights(have, want) for have, want in zip(grid.shape, size, strict=True))
    return np.asarray(rows @ grid @ columns.T, np.float32)


def _weights(have: int, want: int) -> Floats:
    """A (want, have) matrix."""
    places = np.linspace(0, have - 1, want)
    below = np.minimum(np.floor(places).astype(int), max(have - 2, 0))
    share = (places - below).astype(np.float32)
    matrix = np.zeros((want, have), np.float32)
    matrix[np.arange(want), below] = 1 - share
    matrix[np.arange(want), np.minimum(below + 1, have - 1)] += share
    return matrix
