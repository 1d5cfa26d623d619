"""How each patch relates to the others of its own image: what is odd is odd within its image.

A zero-shot model cannot know what a part should look like, but most of a picture shows what is normal in it. These
numbers measure, without any learning, how lonely a patch is among all patches, among its neighbours, and against its
mirror image; a learned projection then decides what each of them is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

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
    grid = (maps.shape[2], maps.shape[3])
    tokens = F.normalize(maps.float().flatten(2).transpose(1, 2), dim=-1)
    distance = 1 - tokens @ tokens.transpose(1, 2)  # (B, N, N)
    others = 1 - torch.eye(distance.shape[1], device=maps.device)
    near, opposite = _neighbours(*grid, maps.device), _opposite(*grid, maps.device)
    columns = [_soft_distance(distance, others, temperature) for temperature in TEMPERATURES]
    columns.append(distance.mean(dim=-1))
    columns.append((distance * near).sum(dim=-1) / near.sum(dim=-1).clamp(min=1))
    columns.append(_soft_distance(distance, opposite, TEMPERATURES[1]))
    raw = torch.stack(columns, dim=-1)
    centred = raw - raw.mean(dim=1, keepdim=True)
    relative = centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + _FLOOR)
    return torch.cat([raw, relative], dim=-1).to(maps.dtype)


def _soft_distance(distance: Tensor, among: Tensor, temperature: float) -> Tensor:
    """(B, N): over the patches j where ``among[i, j]`` is 1. Distances end at 2: no likeness falls to 0 in fp32."""
    likeness = (torch.exp(-distance / temperature) * among).sum(dim=-1) / among.sum(dim=-1).clamp(min=1)
    return -temperature * torch.log(likeness + 1e-30)


def _cells(h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor]:
    index = torch.arange(h * w, device=device)
    return index // w, index % w


def _neighbours(h: int, w: int, device: torch.device) -> Tensor:
    """(N, N) 1.0 where two different cells lie within the radius of each other."""
    y, x = _cells(h, w, device)
    apart = torch.maximum((y[:, None] - y).abs(), (x[:, None] - x).abs())
    return ((apart <= _RADIUS) & (apart > 0)).float()


def _opposite(h: int, w: int, device: torch.device) -> Tensor:
    """(N, N) 1.0 where the second cell lies within one cell of the first one's left-right mirror image."""
    y, x = _cells(h, w, device)
    return (((y[:, None] - y).abs() <= 1) & (((w - 1 - x)[:, None] - x).abs() <= 1)).float()
