"""Small random towers with a convolutional stem, and what a kernel's driver reads of one."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import torch

from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.encoders.tower_weights import Layout, PackedTower

STEMS = {
    "small": StemConfig(
        16, (StemStage(3, 1, 1, 8, 1), StemStage(5, 2, 2, 16, 2), StemStage(3, 2, 4, 12, 2)), (2, 3), 8
    ),
    "all kinds": StemConfig(
        32,
        (
            StemStage(5, 2, 1, 20, 1),
            StemStage(3, 1, 4, 16, 2),
            StemStage(3, 2, 1, 24, 1),
            StemStage(5, 1, 2, 40, 3),
            StemStage(5, 2, 4, 36, 2),
        ),
        (1, 2, 3, 5),
        8,
    ),
}
WIDTHS = {"small": 64, "all kinds": 128}
"""Of tokens; the hidden units of the larger are more than one part of a product's inner dimension (dense_f32.h)."""
EMBED, DEPTH = 24, 3


@cache
def visual_of(stem: str, activation: str = "quick_gelu") -> VisionTransformer:
    """A tower in which every number matters: biases, norms, positions and statistics are drawn, too."""
    vision = VisionConfig(32, STEMS[stem].stride, WIDTHS[stem], DEPTH, 2, stem=STEMS[stem], activation=activation)  # type: ignore[arg-type]
    visual = random_clip(CLIPConfig(EMBED, vision, TextConfig(16, 512, 32, 1, 2)), seed=3).visual.eval()
    generator = torch.Generator().manual_seed(5)
    draw = lambda values, spread: values.copy_(torch.randn(values.shape, generator=generator) * spread)  # noqa: E731
    with torch.no_grad():
        for name, values in visual.named_parameters():
            if name.endswith("bias"):
                draw(values, 0.2)
            elif "ln_" in name:
                draw(values, 0.2).add_(1)
            elif "conv.weight" in name:
                draw(values, (2 / values[0].numel()) ** 0.5)
        draw(visual.positional_embedding, 0.5)
        draw(visual.stem.mean, 0.5)  # type: ignore[arg-type]
        draw(visual.stem.deviation, 0.2).abs_().add_(0.4)  # type: ignore[arg-type]
    return visual


def tensors_of(visual: VisionTransformer) -> dict[str, np.ndarray]:
    """As they would lie in a weights file."""
    return {f"visual.{name}": values.detach().numpy() for name, values in visual.state_dict().items()}


def packed_of(visual: VisionTransformer, layout: Layout) -> PackedTower:
    return PackedTower(tensors_of(visual), visual.config, EMBED, layout)


def streamed(packed: PackedTower, picture: np.ndarray, positions: np.ndarray, own: int, first_dual: int) -> list[Any]:
    """What the driver's ``tower`` reads, in its order: integers and arrays."""
    tower, found = packed.struct, []
    sizes = (tower.stem_blocks, tower.tap_count, tower.depth, tower.width, tower.heads, tower.hidden, tower.quick)
    found += [*sizes, own, first_dual, *picture.shape[1:], packed.stem.stride]
    floats = lambda at, count: found.extend([count, _at(at, count)])  # noqa: E731

    def dense(w: Any) -> None:
        columns = -(-w.columns // packed.layout.panel) * packed.layout.panel
        found.extend([w.inner, w.columns])
        floats(w.panels, columns * w.inner)
        floats(w.bias, columns)

    for block in tower.stem[: tower.stem_blocks]:
        found += [block.inputs, block.inner, block.outputs, block.kernel, block.stride, block.residual, block.pixels]
        found.append(int(bool(block.widen.panels)))
        if block.widen.panels:
            dense(block.widen)
        dense(block.narrow)
        floats(block.filter, block.inner * block.kernel**2)
        floats(block.filter_bias, block.inner)
    for tap in tower.taps[: tower.tap_count]:
        found += [tap.block, tap.channels, tap.pooled, tap.cells]
        floats(tap.mean, tap.channels)
        floats(tap.factor, tap.channels)
    for layer in tower.layers[: tower.depth]:
        for name in ("norm_1_weight", "norm_1_bias", "norm_2_weight", "norm_2_bias"):
            floats(getattr(layer, name), tower.width)
        floats(layer.qkv_bias, 3 * tower.width)
        for each in (layer.qkv, layer.out, layer.up, layer.down):
            dense(each)
    for each in (tower.tokens, tower.contrast, tower.projection):
        dense(each)
    for name in ("class_token", "norm_pre_weight", "norm_pre_bias", "norm_post_weight", "norm_post_bias"):
        floats(getattr(tower, name), tower.width)
    found += [positions.size, positions, picture.size, picture]
    return [np.array([one], np.int64) if isinstance(one, (int, np.integer)) else one for one in found]


def _at(address: int, count: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_float * count).from_address(address))
