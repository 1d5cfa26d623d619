"""Weights in 8 bits for the compiled encoder: one scale per output, no calibration images needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PANEL = 32
"""Outputs whose weights lie together; the kernels take multiples of it."""

LARGEST = 127


@dataclass(frozen=True)
class PackedLinear:
    """A linear layer as the kernels read it.

    Attributes:
        panels: int8 (O / 32, I / 4, 32, 4), w = scale * q.
        scale: float32 (O,).
        sums: float32 (groups, O), sums of q over each group of inputs.
        bias: float32 (O,).
    """

    panels: Tensor
    scale: Tensor
    sums: Tensor
    bias: Tensor


def pack_linear(weight: Tensor, bias: Tensor, groups: int = 1) -> PackedLinear:
    """Quantise and pack a weight (O, I): symmetric, per output, q in -127..127.

    Args:
        groups: parts of the inputs that will be quantised with scales of their own.
    """
    outputs, inputs = weight.shape
    weight = weight.detach().float()
    scale = (weight.abs().amax(dim=1) / LARGEST).clamp_min(1e-30)
    q = (weight / scale[:, None]).round_().to(torch.int8)
    sums = q.view(outputs, groups, inputs // groups).sum(dim=2, dtype=torch.int32).T
    panels = q.view(outputs // PANEL, PANEL, inputs // 4, 4).permute(0, 2, 1, 3)
    return PackedLinear(panels.contiguous(), scale, sums.float().contiguous(), bias.detach().float().contiguous())
