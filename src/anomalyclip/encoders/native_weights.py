"""Weights in 8 bits for the compiled encoder: one scale per output, no calibration images needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalyclip.clip.blocks import Block
from anomalyclip.native.library import Layout

PANEL = 32
"""The kernels take multiples of it: of what every target packs together."""

LARGEST = 127
GROUP = 1024
"""Hidden units that share a scale, at most: few enough for the second cache, and finer than a scale per row."""

_NUMBERS = 2**18
"""Quantised at a time: what glibc kept of a whole matrix's steps could add 110 MB to the peak of ViT-L/14."""


@dataclass(frozen=True)
class PackedLinear:
    """A linear layer as the kernels read it.

    Attributes:
        panels: int8 (O / P, I / K, P, K), w = scale * q, P and K the panel and depth of :class:`Layout`.
        scale: float32 (O,).
        sums: float32 (groups, O), sums of q over each group of inputs.
        bias: float32 (O,).
    """

    panels: Tensor
    scale: Tensor
    sums: Tensor
    bias: Tensor


@dataclass(frozen=True)
class PackedBlock:
    """A transformer block as the kernels read it.

    Attributes:
        norms: weight and bias of LN_1, then of LN_2, float32 (D,) each.
        qkv, out, up, down: the projections of the attention and of the MLP.
    """

    norms: tuple[Tensor, ...]
    qkv: PackedLinear
    out: PackedLinear
    up: PackedLinear
    down: PackedLinear

    @property
    def linears(self) -> tuple[PackedLinear, ...]:
        """In the order of the C structure."""
        return self.qkv, self.out, self.up, self.down


def group_of(hidden: int) -> int:
    """How many of ``hidden`` units share a scale: the largest part in whole panels, up to :data:`GROUP`.

    >>> group_of(4096), group_of(768), group_of(1280)
    (1024, 768, 640)
    """
    return max(size for size in range(PANEL, min(GROUP, hidden) + 1, PANEL) if hidden % size == 0)


def pack_block(block: Block, layout: Layout) -> PackedBlock:
    """Quantise and pack a block of a tower on the CPU; the block stays as it is."""
    attention, mlp = block.attn, dict(block.mlp.named_parameters())
    hidden = len(mlp["c_fc.bias"])
    return PackedBlock(
        tuple(_plain(x) for norm in (block.ln_1, block.ln_2) for x in (norm.weight, norm.bias)),
        pack_linear(attention.in_proj_weight, attention.in_proj_bias, layout),
        pack_linear(attention.out_proj.weight, attention.out_proj.bias, layout),
        pack_linear(mlp["c_fc.weight"], mlp["c_fc.bias"], layout),
        pack_linear(mlp["c_proj.weight"], mlp["c_proj.bias"], layout, groups=hidden // group_of(hidden)),
    )


def pack_linear(weight: Tensor, bias: Tensor, layout: Layout, groups: int = 1) -> PackedLinear:
    """Quantise and pack a weight (O, I): symmetric, per output, q in -127..127.

    Args:
        layout: of the kernels that will read it.
        groups: parts of the inputs that will be quantised with scales of their own.
    """
    outputs, inputs = weight.shape
    panel, depth = layout.panel, layout.depth
    panels = torch.empty(outputs // panel, inputs // depth, panel, depth, dtype=torch.int8)
    scale, sums = torch.empty(outputs), torch.empty(groups, outputs)
    at_once = max(1, _NUMBERS // (panel * inputs))
    for part, first in zip(torch.split(panels, at_once), range(0, outputs, at_once * panel), strict=True):
        rows = slice(first, first + len(part) * panel)
        some = weight[rows].detach().float()
        scale[rows] = (some.abs().amax(dim=1) / LARGEST).clamp_min(1e-30)
        q = (some / scale[rows, None]).round_().to(torch.int8)
        sums[:, rows] = q.view(len(q), groups, inputs // groups).sum(dim=2, dtype=torch.int32).T
        part.copy_(q.view(len(part), panel, inputs // depth, depth).permute(0, 2, 1, 3))
    return PackedLinear(panels, scale, sums, _plain(bias))


def _plain(x: Tensor) -> Tensor:
    """A copy of its own, so that the tower may change or go."""
    return x.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
