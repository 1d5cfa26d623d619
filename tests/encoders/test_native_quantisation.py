"""The kernels against the same quantisation in torch, written again from its formulas.

Floats where C has integers, whole matrices where C has tiles: nothing is shared with it but the meaning. What remains
are single values that fall on the other side of a rounding limit, and what later quantisations make of them.
"""

from __future__ import annotations

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor

from anomalyclip.clip.blocks import QuickGELU
from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.encoders import FeatureRequest, Features
from anomalyclip.encoders.native import NativeEncoder
from anomalyclip.native import why_not

pytestmark = pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))

KEYS = 256  # whose probabilities share a scale
GROUP = 1024  # hidden units, at most, that share one


def run(
    encoder: NativeEncoder, x: Tensor, *, layers: list[int], dpam: str = "vv", dpam_blocks: int | None = None
) -> Features:
    return encoder.run(x, FeatureRequest(True, tuple(layers), dpam=dpam, dpam_blocks=dpam_blocks))


def rows(x: Tensor, groups: int = 1) -> Tensor:
    """Activations, every row (or group of a row) over its own range, which holds 0, in 256 steps."""
    parts = x.unflatten(-1, (groups, -1))
    low, high = parts.amin(-1, keepdim=True).clamp(max=0), parts.amax(-1, keepdim=True).clamp(min=0)
    step = (high - low) / 255
    step = torch.where(step > 0, step, torch.ones_like(step))
    zero = (-low / step + 0.5).floor()
    return ((((parts / step) + zero).round().clamp(0, 255) - zero) * step).flatten(-2)


def symmetric(x: Tensor, dim: int) -> Tensor:
    """Weights, queries, keys and values: 127 is the largest magnitude along ``dim``."""
    step = (x.abs().amax(dim, keepdim=True) / 127).clamp(min=1e-30)
    return (x / step).round() * step


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V of (..., N, d): Q and K by rows, V by columns, probabilities in blocks of keys."""
    scores = symmetric(q, -1) @ symmetric(k, -1).mT / math.sqrt(q.shape[-1])
    v, highest = symmetric(v, -2), scores.amax(-1, keepdim=True)
    out, total = 0, 0
    for first in range(0, scores.shape[-1], KEYS):
        block, values = scores[..., first : first + KEYS], v[..., first : first + KEYS, :]
        top = block.amax(-1, keepdim=True)
        p = (255 * (block - top).exp()).round() * (top - highest).exp()
        out, total = out + p @ values, total + p.sum(-1, keepdim=True)
    return out / total


def linear(x: Tensor, weight: Tensor, bias: Tensor, groups: int = 1) -> Tensor:
    """x W^T + b of quantised rows and quantised weights."""
    return torch.nn.functional.linear(rows(x, groups), symmetric(weight, -1), bias)


class Int8Attention(torch.nn.Module):
    """In the place of a block's attention."""

    def __init__(self, real):
        super().__init__()
        self.real = real

    def forward(self, x, *, causal=False, class_only=False):
        q, k, v = self._projections(x)
        return self._output(attention(q[:, :, :1] if class_only else q, k, v))

    def dual(self, x, mode, *, class_only=False):
        q, k, v = self._projections(x)
        own = {"vv": v, "qq": q, "kk": k}[mode]
        return self._output(attention(q[:, :, :1] if class_only else q, k, v)), self._output(attention(own, own, v))

    def _projections(self, x):
        packed = linear(x, self.real.in_proj_weight, self.real.in_proj_bias)
        return packed.half().float().unflatten(-1, (3, self.real.heads, -1)).permute(2, 0, 3, 1, 4)

    def _output(self, x):
        out = self.real.out_proj
        return linear(x.transpose(1, 2).flatten(2), out.weight, out.bias)


class Int8MLP(torch.nn.Module):
    """In the place of a block's MLP."""

    def __init__(self, real):
        super().__init__()
        self.real = real
        hidden = real.c_fc.out_features
        self.groups = next(n for n in range(1, hidden) if hidden % n == 0 and hidden // n <= GROUP)

    def forward(self, x):
        hidden = linear(x, self.real.c_fc.weight, self.real.c_fc.bias)
        quick = isinstance(self.real.act, QuickGELU)
        active = hidden * torch.sigmoid(1.702 * hidden) if quick else torch.nn.functional.gelu(hidden)
        return linear(active, self.real.c_proj.weight, self.real.c_proj.bias, self.groups)


def in_int8(visual):
    """A copy of a tower whose blocks compute in 8 bits, for every option that the tower has."""
    copy = deepcopy(visual)
    for block in copy.transformer.resblocks:
        block.attn, block.mlp = Int8Attention(block.attn), Int8MLP(block.mlp)
    return copy


def tower(width: int, heads: int, depth: int, activation: str, seed: int = 1):
    """Random, with biases and norms that matter, and 290 tokens at 68 px: more than a block of keys, no whole tiles."""
    vision = VisionConfig(28, 4, width, depth, heads, activation=activation)
    visual = random_clip(CLIPConfig(16, vision, TextConfig(8, 32, 16, 1, 1)), seed=seed).visual
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in visual.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
            elif parameter.ndim == 2:
                parameter.mul_(2)
    return visual.eval()


def pixels(images: int, side: int = 68) -> Tensor:
    return torch.randn(images, 3, side, side, generator=torch.Generator().manual_seed(5))


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


CASES = [(64, 2, "quick_gelu", 68), (128, 2, "gelu", 68), (96, 1, "gelu", 20), (128, 4, "quick_gelu", 28)]


@pytest.mark.parametrize(("width", "heads", "activation", "side"), CASES)
@pytest.mark.parametrize("dpam", ["vv", "qq", "kk", "qk"])
@torch.inference_mode()
def test_one_block_is_the_quantisation_that_the_sources_describe(width, heads, activation, side, dpam):
    visual, x = tower(width, heads, 1, activation), pixels(2, side)
    options = {"layers": [1], "dpam": dpam, "dpam_blocks": 1}
    found, expected = run(NativeEncoder(visual, 2), x, **options), in_int8(visual)(x, **options)
    assert 0.005 < distance(expected.patches[1], visual(x, **options).patches[1]) < 0.05  # what 8 bits cost
    # Of most tokens no value falls on the other side of a limit. The local path has the fewest limits to cross.
    rows = (found.patches[1] - expected.patches[1]).norm(dim=-1) / expected.patches[1].norm(dim=-1)
    assert rows.quantile(0.25) < 0.0005
    assert distance(found.patches[1], expected.patches[1]) < (0.006 if dpam == "qk" else 0.001)
    assert distance(found.image, expected.image) < 0.012  # two rows: one value off shows


@torch.inference_mode()
def test_a_hidden_layer_wider_than_a_group_has_several_scales():
    """Width 288 has 1152 hidden units, in two groups of 576."""
    visual, x = tower(288, 9, 1, "quick_gelu"), pixels(1, 20)
    found, expected = (
        run(NativeEncoder(visual, 1), x, dpam="qk", layers=[1]),
        in_int8(visual)(x, dpam="qk", layers=[1]),
    )
    assert distance(found.patches[1], expected.patches[1]) < 0.006


@torch.inference_mode()
def test_four_blocks_are_as_near_to_float_as_the_simulation_is():
    visual, x = tower(64, 2, 4, "quick_gelu"), pixels(1)
    options = {"layers": [1, 2, 3, 4], "dpam_blocks": 3}
    found, expected, plain = (
        see(x, **options) for see in (partial(run, NativeEncoder(visual, 1)), in_int8(visual), visual)
    )
    for layer in options["layers"]:
        cost = distance(expected.patches[layer], plain.patches[layer])
        assert distance(found.patches[layer], plain.patches[layer]) < 1.1 * cost
