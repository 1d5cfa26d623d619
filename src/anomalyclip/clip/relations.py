"""How each patch relates to the others of its own image: what is odd is odd within its image.

A zero-shot model cannot know what a part should look like, but most of a picture shows what is normal in it. These
numbers measure, without any learning, how lonely a patch is among all patches, among its neighbours, and against its
mirror image; a learned projection then decides what each of them is worth.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPERATURES = (0.03, 0.1, 0.3)
"""Of the soft distance to the nearest patches: small ones see the nearest few, large ones the whole image."""

CHANNELS = 2 * (len(TEMPERATURES) + 3)
"""Numbers per patch: soft distances, mean distance, neighbours, mirror; each as it is and relative to its image."""

_RADIUS = 2  # of the neighbourhood, in cells
_FLOOR = 0.02  # of the deviation within an image: a featureless image keeps its noise small


def relations(maps: Tensor) -> Tensor:
    """Relations (B, h * w, CHANNELS) of the patches of feature maps (B, C, h, w), by cosine distance in [0, 2].

    With d_ij the distance of patches i and j, the soft distance at temperature t over a set J is
    ``-t log mean_{j in J} exp(-d_ij / t)``: it lies between the nearest and the mean distance.
    """
    grid = (int(maps.shape[2]), int(maps.shape[3]))  # numbers also where an exporter traces
    tokens = F.normalize(maps.float().flatten(2).transpose(1, 2), dim=-1)
    distance = 1 - tokens @ tokens.transpose(1, 2)  # (B, N, N)
    itself = torch.eye(distance.shape[1], dtype=torch.bool, device=maps.device)
    to_others, others = distance.masked_fill(itself, torch.inf), max(distance.shape[1] - 1, 1)
    near, near_weight = _distances_within(distance, grid, _RADIUS, mirrored=False)
    opposite, opposite_weight = _distances_within(distance, grid, 1, mirrored=True)
    columns = [_soft_distance(to_others, 1 / others, temperature) for temperature in TEMPERATURES]
    columns.append(distance.mean(dim=-1))
    columns.append((near * near_weight).sum(dim=-1))
    columns.append(_soft_distance(opposite, opposite_weight, TEMPERATURES[1]))
    raw = torch.stack(columns, dim=-1)
    centred = raw - raw.mean(dim=1, keepdim=True)
    relative = centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + _FLOOR)
    return torch.cat([raw, relative], dim=-1).to(maps.dtype)


def _soft_distance(distance: Tensor, weight: Tensor | float, temperature: float) -> Tensor:
    """(B, N): over the last axis, whose weights sum to 1. Distances end at 2: no likeness falls to 0 in fp32."""
    likeness = (torch.exp(-distance / temperature) * weight).sum(dim=-1)
    return -temperature * torch.log(likeness + 1e-30)


def _distances_within(distance: Tensor, grid: tuple[int, int], radius: int, *, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Of each patch to the cells of a window: distances (B, N, K) and weights (N, K), see :func:`_window`."""
    cells, weight = (torch.from_numpy(values).to(distance.device) for values in _window(*grid, radius, mirrored))
    return distance.gather(-1, cells.expand(distance.shape[0], -1, -1)), weight


@lru_cache(maxsize=16)  # arrays, not tensors: those made under inference mode could not be used for training later
def _window(h: int, w: int, radius: int, mirrored: bool) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cells within ``radius`` of each other cell, or of its left-right mirror image (which itself counts).

    Index (N, K) of the cells, and weights (N, K): equal over those inside the grid, 0 outside, sum 1 (0 if none is).
    """
    y, x = np.divmod(np.arange(h * w), w)
    span = np.arange(-radius, radius + 1)
    down, right = (offsets.ravel() for offsets in np.meshgrid(span, span, indexing="ij"))
    rows, columns = y[:, None] + down, (w - 1 - x if mirrored else x)[:, None] + right
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    if not mirrored:
        inside &= (down != 0) | (right != 0)
    cells = np.where(inside, rows * w + columns, 0)
    weight = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
    return cells.astype(np.int64), weight.astype(np.float32)
