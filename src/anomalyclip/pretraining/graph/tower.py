"""`anomalyclip.clip.vision` in ONNX: tokens through the blocks, on the original path and on the local one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomalyclip.clip.config import CLIPConfig
from anomalyclip.encoders.graph_sessions import INPUT
from anomalyclip.pretraining.graph.nodes import Nodes
from anomalyclip.pretraining.graph.stem import patch_tokens, stages, summary

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

_LOCAL = {"qq": 0, "kk": 1, "vv": 2}


@dataclass(frozen=True)
class Recipe:
    """What the graph gives: patch features of ``layers`` on the local path ``dpam`` of the last ``dpam_blocks``."""

    layers: tuple[int, ...]
    dpam: str
    dpam_blocks: int
    post_norm_class: bool


def encoder_graph(config: CLIPConfig, weights: Path, recipe: Recipe) -> onnx.ModelProto:
    """The graph from pixels (B, 3, H, W) to features, B, H and W free; sides are cut to multiples of the patch size.

    Outputs are `image` (B, E), `patches_L` (B, h w, E) of the recipe's layers, `tokens_L` (B, h w, D) of all blocks but
    the last, whose original path is computed for the class token alone, and of the whole stem `stage_S` (B, C, h', w')
    and `summary_S` (B, 3 C).
    """
    return _Tower(config, Nodes(weights), recipe).build()


class _Tower:
    def __init__(self, config: CLIPConfig, nodes: Nodes, recipe: Recipe) -> None:
        self.config, self.vision, self.nodes, self.recipe = config, config.vision, nodes, recipe
        self.outputs: dict[str, list[str | int]] = {}

    def build(self) -> onnx.ModelProto:
        h, w, pixels = self._grid()
        tokens = self._positioned(self._patches(pixels, h, w), h, w)
        self._blocks(tokens)
        facts = {"layers": ",".join(map(str, self.recipe.layers)), "dpam": self.recipe.dpam}
        return self.nodes.model({INPUT: ["batch", 3, "height", "width"]}, self.outputs, facts)

    def _give(self, value: str, name: str, shape: list[str | int]) -> None:
        self.nodes.named(value, name)
        self.outputs[name] = shape

    def _grid(self) -> tuple[str, str, str]:
        """Rows and columns of patches, and the pixels that they cover."""
        op, patch = self.nodes.op, self.vision.patch_size
        shape = op("Shape", INPUT)
        h, w = (op("Div", op("Slice", shape, [axis], [axis + 1]), [patch]) for axis in (2, 3))
        ends = op("Mul", op("Concat", h, w, axis=0), [patch])
        return h, w, op("Slice", INPUT, [0, 0], ends, [2, 3])

    def _patches(self, pixels: str, h: str, w: str) -> str:
        stem = self.vision.stem
        if stem is None:
            side = self.vision.patch_size
            maps = self.nodes.op(
                "Conv", pixels, self.nodes.weight("visual.conv1.weight"), kernel_shape=[side] * 2, strides=[side] * 2
            )
            flat = self.nodes.op("Reshape", maps, [0, self.vision.width, -1])
            return self.nodes.op("Transpose", flat, perm=[0, 2, 1])
        found = stages(self.nodes, stem, pixels)
        for number, value in found.items():
            channels = stem.stages[number - 1].channels
            self._give(value, f"stage_{number}", ["batch", channels, f"rows_{number}", f"columns_{number}"])
            self._give(summary(self.nodes, value), f"summary_{number}", ["batch", 3 * channels])
        return patch_tokens(self.nodes, stem, found, h, w)

    def _positioned(self, patches: str, h: str, w: str) -> str:
        op, D = self.nodes.op, self.vision.width
        table = self.nodes.weight("visual.positional_embedding")
        side = self.vision.grid
        maps = op(
            "Transpose",
            op("Reshape", op("Slice", table, [1], [1 + side * side]), [1, side, side, D]),
            perm=[0, 3, 1, 2],
        )
        resized = self.nodes.resized(maps, op("Concat", h, w, axis=0))
        placed = op("Add", patches, op("Transpose", op("Reshape", resized, [1, D, -1]), perm=[0, 2, 1]))
        first = op(
            "Add", op("Unsqueeze", self.nodes.weight("visual.class_embedding"), [0]), op("Slice", table, [0], [1])
        )
        batch = op("Slice", op("Shape", patches), [0], [1])
        firsts = op("Expand", op("Unsqueeze", first, [0]), op("Concat", batch, [1, 1], axis=0))
        return self._norm("visual.ln_pre", op("Concat", firsts, placed, axis=1))

    def _blocks(self, tokens: str) -> None:
        depth, wanted = self.vision.layers, self.recipe.layers
        first_dual = depth + 1 if self.recipe.dpam == "qk" else depth - self.recipe.dpam_blocks + 1
        original = local = tokens
        for number in range(1, depth + 1):
            last = number == depth
            if first_dual <= number <= max(wanted):
                original, local = self._block(number, original, local, class_only=last)
            else:
                original, _ = self._block(number, original, None, class_only=last and depth not in wanted)
                local = original
            if not last:
                self._give(self._patches_of(original), f"tokens_{number}", ["batch", "patches", self.vision.width])
            if number in wanted:
                projected = self._projected(self._norm("visual.ln_post", self._patches_of(local)))
                self._give(projected, f"patches_{number}", ["batch", "patches", self.config.embed_dim])
        first = self.nodes.op("Gather", original, 0, axis=1)
        image = self._norm("visual.ln_post", first) if self.recipe.post_norm_class else first
        self._give(self._projected(image), "image", ["batch", self.config.embed_dim])

    def _patches_of(self, tokens: str) -> str:
        return self.nodes.op("Slice", tokens, [1], [2**31], [1])

    def _projected(self, x: str) -> str:
        return self.nodes.op("MatMul", x, self.nodes.weight("visual.proj"))

    def _block(self, number: int, x: str, local: str | None, *, class_only: bool) -> tuple[str, str]:
        """One block on the original path, and where ``local`` is given the step of the local one."""
        op, name = self.nodes.op, f"visual.transformer.resblocks.{number - 1}"
        normed = self._norm(f"{name}.ln_1", x)
        packed = self.nodes.linear(normed, f"{name}.attn.in_proj_weight", f"{name}.attn.in_proj_bias")
        q, k, v = projections = self._heads(packed)
        asking = op("Slice", q, [0], [1], [2]) if class_only else q
        staying = op("Slice", x, [0], [1], [1]) if class_only else x
        original = op("Add", staying, self._out(name, self._attention(asking, k, v)))
        hidden = self._norm(f"{name}.ln_2", original)
        hidden = self._activated(self.nodes.linear(hidden, f"{name}.mlp.c_fc.weight", f"{name}.mlp.c_fc.bias"))
        fed = op("Add", original, self.nodes.linear(hidden, f"{name}.mlp.c_proj.weight", f"{name}.mlp.c_proj.bias"))
        if local is None:
            return fed, fed
        own = projections[_LOCAL[self.recipe.dpam]]
        return fed, op("Add", local, self._out(name, self._attention(own, own, v)))

    def _heads(self, packed: str) -> list[str]:
        """Q, K and V, each (B, heads, N, d), of (B, N, 3 D)."""
        D, heads = self.vision.width, self.vision.heads
        parts = self.nodes.ops("Split", 3, packed, [D, D, D], axis=2)
        shape = [0, 0, heads, D // heads]
        return [self.nodes.op("Transpose", self.nodes.op("Reshape", part, shape), perm=[0, 2, 1, 3]) for part in parts]

    def _attention(self, q: str, k: str, v: str) -> str:
        op, D, heads = self.nodes.op, self.vision.width, self.vision.heads
        scaled = op("Mul", q, 1 / math.sqrt(D / heads))
        likeness = op("Softmax", op("MatMul", scaled, op("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
        return op("Reshape", op("Transpose", op("MatMul", likeness, v), perm=[0, 2, 1, 3]), [0, 0, D])

    def _out(self, name: str, attended: str) -> str:
        return self.nodes.linear(attended, f"{name}.attn.out_proj.weight", f"{name}.attn.out_proj.bias")

    def _activated(self, x: str) -> str:
        op = self.nodes.op
        if self.config.activation == "quick_gelu":
            return op("Mul", x, op("Sigmoid", op("Mul", x, 1.702)))
        return op("Mul", op("Mul", x, 0.5), op("Add", op("Erf", op("Mul", x, math.sqrt(0.5))), 1.0))

    def _norm(self, name: str, x: str) -> str:
        scale, shift = self.nodes.weight(f"{name}.weight"), self.nodes.weight(f"{name}.bias")
        return self.nodes.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-5)
