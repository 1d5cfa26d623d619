"""CLIP's vision transformer with DPAM: one global feature and patch features of any layer (METHOD section 3)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.blocks import Block, Transformer
from anomalyclip.clip.config import CLIPConfig
from anomalyclip.clip.config import check_layers as check_layers
from anomalyclip.clip.config import default_dpam_blocks as default_dpam_blocks
from anomalyclip.clip.stem import ConvStem
from anomalyclip.errors import ConfigError


class VisionFeatures(NamedTuple):
    """What the encoder gives: ``image`` (B, E) and ``patches`` {layer: (B, N, E)}, neither of them normalised.

    ``tokens`` {layer: (B, N, D)} are the original path's, as the blocks leave them, and ``stages``
    {stage: (B, C, h', w')} a convolutional stem's.
    """

    image: Tensor
    patches: dict[int, Tensor]
    tokens: Mapping[int, Tensor] = MappingProxyType({})
    stages: Mapping[int, Tensor] = MappingProxyType({})


def interpolate_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize a positional table (1 + g*g, D) to (1 + h*w, D): bilinear, half-pixel centres; the class row stays."""
    side = math.isqrt(table.shape[0] - 1)
    if grid == (side, side):
        return table
    # A permuted view with the channels last, as the table lies: torch then copies nothing, neither before nor after.
    spatial = table[1:].view(1, side, side, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(spatial, size=grid, mode="bilinear", align_corners=False)
    return torch.cat([table[:1], resized.permute(0, 2, 3, 1).flatten(0, 2)])


class VisionTransformer(nn.Module):
    """The vision tower of ``config``. Pixels ``(B, 3, H, W)``, normalised.

    Where H or W is no multiple of the patch size, the last rows or columns are left out, as a strided convolution does.
    """

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        vision = config.vision
        self.config = vision
        if vision.stem is None:
            self.conv1 = nn.Conv2d(3, vision.width, vision.patch_size, stride=vision.patch_size, bias=False)
        else:
            self.stem = ConvStem(vision.stem, vision.width)
        self.class_embedding = nn.Parameter(torch.empty(vision.width))
        self.positional_embedding = nn.Parameter(torch.empty(vision.grid**2 + 1, vision.width))
        self.ln_pre = nn.LayerNorm(vision.width, eps=vision.norm_eps)
        self.transformer = Transformer(vision)
        self.ln_post = nn.LayerNorm(vision.width, eps=vision.norm_eps)
        self.proj = nn.Parameter(torch.empty(vision.width, config.embed_dim))

    def forward(
        self,
        pixel_values: Tensor,
        *,
        layers: Sequence[int] = (),
        dpam: DPAMMode = "vv",
        dpam_blocks: int | None = None,
        post_norm_class: bool = False,
        original_layers: Sequence[int] = (),
        stages: Collection[int] = (),
    ) -> VisionFeatures:
        """Encode images.

        Args:
            pixel_values: (B, 3, H, W) float.
            layers: 1-based blocks whose patch features are wanted.
            dpam: the local path's attention; ``qk`` is plain CLIP (one path).
            dpam_blocks: how many last blocks run two paths; None for :func:`default_dpam_blocks`.
            post_norm_class: apply LN_post to the class token, as plain CLIP does. The reference does not, and the
                published prompts were learned that way, hence the default.
            original_layers: 1-based blocks whose patch tokens of the original path are wanted.
            stages: 1-based stages of the convolutional stem that are wanted.

        Raises:
            ConfigError: a layer or ``dpam_blocks`` outside the encoder's depth.
        """
        patches, grid, kept = self.with_stages(pixel_values, stages)
        found = self.encode_tokens(
            self.add_positions(patches, grid),
            layers=layers,
            dpam=dpam,
            dpam_blocks=dpam_blocks,
            post_norm_class=post_norm_class,
            original_layers=original_layers,
        )
        return found._replace(stages=kept) if kept else found

    def embed(self, pixel_values: Tensor) -> Tensor:
        """Pixels to the tokens that enter block 1: (B, 1 + N, D), class token first, with positions and LN_pre."""
        return self.add_positions(*self.patch_tokens(pixel_values))

    def patch_tokens(self, pixel_values: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pixels to patch tokens (B, h*w, D) without positions, and their grid (h, w)."""
        patches, grid, _ = self.with_stages(pixel_values, ())
        return patches, grid

    def with_stages(
        self, pixel_values: Tensor, stages: Collection[int]
    ) -> tuple[Tensor, tuple[int, int], dict[int, Tensor]]:
        """:meth:`patch_tokens`, and the wanted stages of the stem as they are."""
        if self.config.stem is not None:
            return self.stem(pixel_values, stages)  # type: ignore[no-any-return]
        if stages:
            raise ConfigError(f"stages {sorted(stages)} do not exist: this vision encoder has no convolutional stem")
        maps = self.conv1(pixel_values)
        return maps.flatten(2).transpose(1, 2), (maps.shape[2], maps.shape[3]), {}

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """The positional table of a grid, (1 + h*w, D)."""
        return interpolate_positions(self.positional_embedding, grid)

    def add_positions(self, patches: Tensor, grid: tuple[int, int], positions: Tensor | None = None) -> Tensor:
        """Prepend the class token to patch tokens (B, h*w, D), add positions, apply LN_pre.

        ``positions`` is what :meth:`positions` gives for the grid, from a caller who keeps it.
        """
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens = torch.cat([first, patches], dim=1)
        table = self.positions(grid) if positions is None else positions
        out: Tensor = self.ln_pre(tokens + table.to(tokens.dtype))
        return out

    def encode_tokens(
        self,
        tokens: Tensor,
        *,
        layers: Sequence[int],
        dpam: DPAMMode,
        dpam_blocks: int | None,
        post_norm_class: bool,
        original_layers: Sequence[int] = (),
    ) -> VisionFeatures:
        """The blocks, from tokens (B, 1 + N, D) on; see :meth:`forward` for the options.

        ``original_layers`` are those whose patch tokens of the original path are wanted as well, from the same pass.
        """
        depth = self.config.layers
        first_dual = self.first_dual_block(dpam, dpam_blocks)
        wanted, kept = check_layers(layers, depth), check_layers(original_layers, depth)
        last_wanted = max(wanted, default=0)
        original = local = tokens
        del tokens  # 6 MB of ViT-L's peak
        patches: dict[int, Tensor] = {}
        plain: dict[int, Tensor] = {}
        for number, block in enumerate(self._blocks(), start=1):
            class_only = number == depth and depth not in kept
            if first_dual <= number <= last_wanted:
                original, local = block.dual(original, local, dpam, class_only=class_only)
            else:  # one path: before the dual blocks, or after the last layer whose patches anyone asked for
                original = local = block(original, class_only=class_only and depth not in wanted)
            if number in kept:
                plain[number] = original[:, 1:]
            if number in wanted:
                patches[number] = self.ln_post(local[:, 1:]) @ self.proj
        first = original[:, 0]
        return VisionFeatures((self.ln_post(first) if post_norm_class else first) @ self.proj, patches, plain)

    def first_dual_block(self, dpam: DPAMMode, dpam_blocks: int | None) -> int:
        depth = self.config.layers
        blocks = default_dpam_blocks(depth) if dpam_blocks is None else dpam_blocks
        if not 0 <= blocks <= depth:
            raise ConfigError(f"dpam_blocks must lie in 0..{depth} (the encoder's depth), got {blocks}")
        return depth + 1 if dpam == "qk" else depth - blocks + 1

    def _blocks(self) -> list[Block]:
        return list(self.transformer.resblocks)  # type: ignore[arg-type]
