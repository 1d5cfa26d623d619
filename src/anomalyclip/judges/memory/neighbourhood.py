"""Features that know their surroundings: means over the neighbours of each patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def neighbourhood_mean(grids: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The mean over `side` x `side` patches around each of grids (B, h, w, D); outside the grid all is zero.

    Sums are divided by side^2 everywhere, also at the border, as PatchCore's and MuSc's are: normalise afterwards and
    the shrinkage there vanishes.

    Raises ConfigError unless side is odd and at least 1.
    """
    _check_side(side)
    out = grids
    for axis in (1, 2):
        out = _running_sum(out, side, axis)
    if side > 1:
        out *= np.float32(1 / (side * side))
    return out


def _running_sum(values: NDArray[np.float32], side: int, axis: int) -> NDArray[np.float32]:
    if side == 1:
        return values
    out: NDArray[np.float32] = values.copy()
    length = values.shape[axis]
    for shift in range(1, min(side // 2, length - 1) + 1):
        near = [slice(None)] * values.ndim
        far = [slice(None)] * values.ndim
        near[axis], far[axis] = slice(shift, None), slice(None, length - shift)
        out[tuple(near)] += values[tuple(far)]
        out[tuple(far)] += values[tuple(near)]
    return out


def locally_aware(grids: NDArray[np.float32], side: int, width: int) -> NDArray[np.float32]:
    """PatchCore's features of one level, (B, h, w, width): each patch's side x side neighbours, pooled to `width`.

    The neighbourhood is laid out channel by channel (C x side x side numbers) and averaged adaptively; with width = C
    that is :func:`neighbourhood_mean`.
    """
    _check_side(side)
    if width == grids.shape[-1]:
        return neighbourhood_mean(grids, side)
    reach = side // 2
    padded = np.pad(grids, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    return adaptive_mean(windows.reshape(*grids.shape[:3], -1), width)


def adaptive_mean(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Values (..., n) averaged to (..., width): number i is the mean of floor(i n / width) .. ceil((i + 1) n / width).

    >>> adaptive_mean(np.float32([1, 2, 3, 4, 5]), 2).tolist()
    [2.0, 4.0]
    """
    count = values.shape[-1]
    starts = [index * count // width for index in range(width)]
    ends = [-(-(index + 1) * count // width) for index in range(width)]
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1, dtype=np.float64)], axis=-1)
    out: NDArray[np.float32] = ((sums[..., ends] - sums[..., starts]) / np.subtract(ends, starts)).astype(np.float32)
    return out


def joined_levels(levels: Sequence[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    """PatchCore's joining of levels (B, h_l, w_l, width): all on the first's grid, end to end, pooled to `width`.

    Coarser levels are upsampled bilinearly after their neighbourhoods were taken.
    """
    finest = levels[0].shape[1:3]
    return adaptive_mean(np.concatenate([on_grid(level, finest) for level in levels], axis=-1), width)


def on_grid(grids: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Features (B, h, w, D) on another grid: bilinear, half-pixel centres, the border repeated."""
    if grids.shape[1:3] == tuple(grid):
        return grids
    rows, columns = (_weights(have, want) for have, want in zip(grids.shape[1:3], grid, strict=True))
    out: NDArray[np.float32] = np.einsum("Hh,bhwd,Ww->bHWd", rows, grids, columns, optimize=True)
    return out


def _weights(have: int, want: int) -> NDArray[np.float32]:
    """A (want, have) matrix of bilinear weights."""
    places = np.clip((np.arange(want) + 0.5) * have / want - 0.5, 0, have - 1)
    below = np.floor(places).astype(int)
    share = (places - below).astype(np.float32)
    matrix = np.zeros((want, have), np.float32)
    matrix[np.arange(want), below] = 1 - share
    matrix[np.arange(want), np.minimum(below + 1, have - 1)] += share
    return matrix


def _check_side(side: int) -> None:
    if side < 1 or side % 2 == 0:
        raise ConfigError(f"a neighbourhood of {side} x {side} patches has no middle: use 1, 3 or 5")
