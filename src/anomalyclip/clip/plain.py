"""Plain CLIP, one path: its class token, of the image or of parts of it alone, and the patch tokens of any block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from anomalyclip.clip.config import VisionConfig
from anomalyclip.clip.vision import VisionTransformer, check_layers
from anomalyclip.errors import ConfigError

_AT_ONCE = 256  # windows per forward pass: enough to keep the matrix products large, small in memory


def class_norm(config: VisionConfig) -> bool:
    """Whether LN_post belongs to the class token: CLIP was trained so; our own encoders, with a stem, are not."""
    return config.stem is None


def window_count(grid: tuple[int, int], scale: int) -> int:
    """Windows of ``scale`` x ``scale`` patches at stride 1 on a ``grid`` of (rows, columns); 0 where none fits.

    >>> window_count((15, 15), 2), window_count((15, 10), 3), window_count((2, 9), 3)
    (196, 104, 0)
    """
    return max(grid[0] - scale + 1, 0) * max(grid[1] - scale + 1, 0)


def window_patches(grid: tuple[int, int], scale: int) -> Tensor:
    """Indices (M, scale * scale) of the patches of every window, windows and patches row by row.

    Raises:
        ConfigError: no window fits.
    """
    if not 1 <= scale <= min(grid):
        raise ConfigError(
            f"windows of {scale} x {scale} patches do not fit a grid of {grid[0]} x {grid[1]}; raise the image size"
        )
    numbers = torch.arange(grid[0] * grid[1]).view(grid)
    return numbers.unfold(0, scale, 1).unfold(1, scale, 1).reshape(-1, scale * scale)


def class_features(visual: VisionTransformer, tokens: Tensor, *, post_norm: bool) -> Tensor:
    """Class features (B, E) of tokens (B, 1 + n, D) that enter block 1, whatever patches they are."""
    features: Tensor = visual.encode_tokens(
        tokens, layers=(), dpam="qk", dpam_blocks=0, post_norm_class=post_norm
    ).image
    return features


def window_features(
    visual: VisionTransformer,
    tokens: Tensor,
    scales: Sequence[int],
    *,
    post_norm: bool,
    grid: tuple[int, int] | None = None,
) -> Tensor:
    """The class feature of every window of patches: the tower sees the class token and the window's patches, no others.

    Patches keep the positions they have in the whole image.

    Args:
        visual: the tower.
        tokens: (B, 1 + h * w, D) from :meth:`VisionTransformer.embed`.
        scales: sides of the windows, in patches; stride 1.
        post_norm: LN_post on the class token.
        grid: (h, w); None is a square.

    Returns:
        (B, M, E), scale by scale, windows row by row.
    """
    side = math.isqrt(tokens.shape[1] - 1)
    grid = grid or (side, side)
    found = [_of_scale(visual, tokens, window_patches(grid, scale), post_norm) for scale in scales]
    return torch.cat(found, dim=1)


def _of_scale(visual: VisionTransformer, tokens: Tensor, patches: Tensor, post_norm: bool) -> Tensor:
    chosen = torch.cat([torch.zeros(len(patches), 1, dtype=torch.int64), 1 + patches], dim=1).to(tokens.device)
    images = []
    for one in tokens:  # (1 + h * w, D)
        parts = [class_features(visual, one[part], post_norm=post_norm) for part in torch.split(chosen, _AT_ONCE)]
        images.append(torch.cat(parts))
    return torch.stack(images)


def stage_tokens(
    visual: VisionTransformer, tokens: Tensor, layers: Sequence[int], *, post_norm: bool
) -> tuple[Tensor, dict[int, Tensor]]:
    """Plain CLIP's class feature (B, E), and {layer: patch tokens (B, N, D)} as the 1-based blocks leave them.

    The patch tokens are neither normalised (LN_post) nor projected.

    Raises:
        ConfigError: a layer the encoder lacks.
    """
    wanted = check_layers(layers, visual.config.layers)
    found = {}
    for number, block in enumerate(visual.transformer.resblocks, start=1):
        tokens = block(tokens)
        if number in wanted:
            found[number] = tokens[:, 1:]
    first = tokens[:, 0]
    return (visual.ln_post(first) if post_norm else first) @ visual.proj, found
