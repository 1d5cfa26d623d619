"""The vision blocks with fewer operations: approximations to measure, none of which the package runs.

:func:`encode` follows :meth:`anomalyclip.clip.vision.VisionTransformer.encode_tokens` step by step; with the default
:class:`Fewer` it gives the same numbers (``tests/bench/test_fewer_operations.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.clip.attention import SelfAttention
from anomalyclip.clip.blocks import Block
from anomalyclip.clip.vision import VisionFeatures, VisionTransformer

Skipped = Literal["left out", "reused", "own value"]


@dataclass(frozen=True)
class Fewer:
    """What is approximated; the default is nothing.

    Attributes:
        dpam_blocks: how many last blocks run two paths; None is the model's own number.
        plain_cell: plain attention sees keys and values averaged over cells of so many by so many tokens.
        local_cell: the same in the V-V path. Queries stay as many as there are tokens.
        weighed: an averaged key counts as often as the tokens it stands for (log count added to its scores), so that
            the class token's own key keeps its share.
        local_every: the V-V attention runs in every so-manieth dual block only, counted back from the last.
        skipped: what a dual block without V-V attention adds: nothing, what the block before it added, or each
            token's own value, projected (V-V attention that sees the token alone).
        mlp_cell: the MLP sees averages over cells of tokens and gives each of a cell's tokens the same addition.
        mlp_merged: share of the patch tokens (0 to 0.5) that the MLP sees as part of their most alike partner.
        mlp_blocks: in which blocks the MLP is so reduced.
    """

    dpam_blocks: int | None = None
    plain_cell: int = 1
    local_cell: int = 1
    weighed: bool = False
    local_every: int = 1
    skipped: Skipped = "left out"
    mlp_cell: int = 1
    mlp_merged: float = 0.0
    mlp_blocks: Literal["all", "even", "late"] = "all"


def encode(
    visual: VisionTransformer, tokens: Tensor, layers: Sequence[int], fewer: Fewer, *, dpam_blocks: int | None = None
) -> VisionFeatures:
    """Features from tokens (B, 1 + N, D) of a square grid, V-V path, no LN_post on the class token.

    ``dpam_blocks`` is the model's own number, which :attr:`Fewer.dpam_blocks` overrides.
    """
    depth, last = visual.config.layers, max(layers, default=0)
    first_dual = visual.first_dual_block("vv", dpam_blocks if fewer.dpam_blocks is None else fewer.dpam_blocks)
    original, local = tokens, tokens
    patches: dict[int, Tensor] = {}
    addition = torch.zeros_like(tokens)
    for number, block in enumerate(visual.transformer.resblocks, start=1):
        assert isinstance(block, Block)
        dual = first_dual <= number <= last
        class_only = number == depth and (dual or depth not in layers)
        q, k, v, own = _projections(block.attn, block.ln_1(original), fewer.plain_cell, dual)
        if dual:
            addition = _local(block.attn, own, fewer, attends=(last - number) % fewer.local_every == 0, before=addition)
            local = local + addition
        counts = _counts(q, fewer.plain_cell, fewer.weighed)
        plain = F.scaled_dot_product_attention(q[:, :, :1] if class_only else q, k, v, attn_mask=counts)
        h = (original[:, :1] if class_only else original) + _joined(block.attn, plain)
        reduced = {"all": True, "even": number % 2 == 0, "late": number > depth / 2}[fewer.mlp_blocks]
        original = h + (_reduced_mlp(block, h, fewer) if reduced and not class_only else block.mlp(block.ln_2(h)))
        if not dual:
            local = original
        if number in layers:
            patches[number] = visual.ln_post(local[:, 1:]) @ visual.proj
    return VisionFeatures(original[:, 0] @ visual.proj, patches)


def _local(attn: SelfAttention, v: Tensor, fewer: Fewer, *, attends: bool, before: Tensor) -> Tensor:
    if attends:
        keys = merge_cells(v, fewer.local_cell)
        counts = _counts(v, fewer.local_cell, fewer.weighed)
        return _joined(attn, F.scaled_dot_product_attention(v, keys, keys, attn_mask=counts))
    if fewer.skipped == "own value":
        return _joined(attn, v)
    return before if fewer.skipped == "reused" else torch.zeros_like(before)


def _counts(like: Tensor, cell: int, weighed: bool) -> Tensor | None:
    """What is added to the scores of averaged keys, for queries (B, heads, 1 + N, d)."""
    return log_counts(math.isqrt(like.shape[2] - 1), cell).to(like) if weighed and cell > 1 else None


def merge_cells(x: Tensor, cell: int) -> Tensor:
    """Tokens (..., 1 + side * side, d) to (..., 1 + M, d): class token as it is, means over cells of the grid.

    Cells at the right and lower border hold what is left of the grid.
    """
    if cell == 1:
        return x
    *lead, count, width = x.shape
    side = math.isqrt(count - 1)
    maps = x[..., 1:, :].transpose(-1, -2).reshape(-1, width, side, side)
    means = F.avg_pool2d(maps, cell, ceil_mode=True, count_include_pad=False)
    return torch.cat([x[..., :1, :], means.flatten(2).transpose(1, 2).reshape(*lead, -1, width)], dim=-2)


def spread_cells(x: Tensor, cell: int, side: int) -> Tensor:
    """The way back of :func:`merge_cells`: every token of a grid of ``side`` gets its cell's row."""
    cells = -(-side // cell)
    axis = torch.arange(side, device=x.device) // cell
    index = (axis[:, None] * cells + axis).flatten()
    return torch.cat([x[..., :1, :], x[..., 1:, :].index_select(-2, index)], dim=-2)


def log_counts(side: int, cell: int) -> Tensor:
    """(1, 1, 1, 1 + M): log of the number of tokens in each cell of the grid, 0 for the class token."""
    held = torch.tensor([min(cell, side - start) for start in range(0, side, cell)], dtype=torch.float32)
    return torch.cat([torch.ones(1), torch.outer(held, held).flatten()]).log().view(1, 1, 1, -1)


def _reduced_mlp(block: Block, h: Tensor, fewer: Fewer) -> Tensor:
    """What the MLP adds to tokens h (B, 1 + N, D), from fewer tokens."""
    if fewer.mlp_cell > 1:
        added = block.mlp(block.ln_2(merge_cells(h, fewer.mlp_cell)))
        return spread_cells(added, fewer.mlp_cell, math.isqrt(h.shape[1] - 1))
    normed = block.ln_2(h)
    if not fewer.mlp_merged:
        out: Tensor = block.mlp(normed)
        return out
    patches = h.shape[1] - 1
    merged_count = int(fewer.mlp_merged * patches)
    groups = alike(normed[:, 1:], merged_count)
    fused = merge_groups(h[:, 1:], groups, patches - merged_count)
    out = block.mlp(block.ln_2(torch.cat([h[:, :1], fused], dim=1)))
    index = groups.unsqueeze(-1).expand(-1, -1, out.shape[-1])
    return torch.cat([out[:, :1], out[:, 1:].gather(1, index)], dim=1)


def alike(tokens: Tensor, merged: int) -> Tensor:
    """Bipartite matching (ToMe, Bolya et al. 2023): the group, 0 .. N - merged - 1, of each of the tokens (B, N, D).

    Tokens of even index look for their most alike partner (cosine) among those of odd index; the ``merged`` surest
    join theirs, all others stay alone. Groups of the odd tokens come first.
    """
    unit = F.normalize(tokens, dim=-1)
    best, partner = (unit[:, 0::2] @ unit[:, 1::2].transpose(1, 2)).max(dim=-1)
    odd = tokens.shape[1] // 2
    surest = best.argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(surest.shape[1], device=tokens.device).expand_as(surest) - merged + odd
    of_even = torch.empty_like(surest).scatter_(1, surest, places)
    groups = torch.empty(tokens.shape[:2], dtype=torch.long, device=tokens.device)
    groups[:, 1::2] = torch.arange(odd, device=tokens.device)
    groups[:, 0::2] = torch.where(of_even < odd, partner, of_even)
    return groups


def merge_groups(tokens: Tensor, groups: Tensor, count: int) -> Tensor:
    """Means (B, count, D) of the tokens (B, N, D) of each group, 0 .. count - 1."""
    index = groups.unsqueeze(-1).expand_as(tokens)
    empty = tokens.new_zeros(tokens.shape[0], count, tokens.shape[2])
    return empty.scatter_reduce(1, index, tokens, "mean", include_self=False)


def _projections(attn: SelfAttention, x: Tensor, cell: int, dual: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Q, K and V of the plain path, and V of the V-V path (empty where there is none), each (B, heads, tokens, d).

    The mean of projections is the projection of the mean: averaged keys cost a product of that many rows only.
    """
    if cell == 1:
        q, k, v = _heads(attn, x, attn.in_proj_weight, attn.in_proj_bias)
        return q, k, v, v
    means = merge_cells(x, cell)
    weights, biases = attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3)
    q, k = _heads(attn, x, weights[0], biases[0])[0], _heads(attn, means, weights[1], biases[1])[0]
    own = _heads(attn, x if dual else x[:, :0], weights[2], biases[2])[0]
    return q, k, merge_cells(own, cell) if dual else _heads(attn, means, weights[2], biases[2])[0], own


def _heads(attn: SelfAttention, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Projections of x (B, N, D) by P D x D matrices in one: (P, B, heads, N, d)."""
    batch, count, width = x.shape
    packed = F.linear(x, weight, bias).view(batch, count, len(weight) // width, attn.heads, width // attn.heads)
    return packed.permute(2, 0, 3, 1, 4).contiguous()


def _joined(attn: SelfAttention, x: Tensor) -> Tensor:
    out: Tensor = attn.out_proj(x.transpose(1, 2).flatten(2))
    return out
