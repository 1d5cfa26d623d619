"""From images to the features that a :class:`CacheKey` names."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.plain import class_features, stage_tokens, window_features
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.features.key import CacheKey


class Features(NamedTuple):
    """``image`` (B, E), the global feature, and ``patches`` (B, L, N, width), the local ones, of B images.

    Of windows: (B, 1, windows, E). None of them is normalised.
    """

    image: Tensor
    patches: Tensor


def from_records(rows: Tensor, key: CacheKey) -> Features:
    """Features out of cached records (B, ...) of any dtype, as float32."""
    rows = rows.float()
    return Features(rows[:, : key.embed_dim], rows[:, key.embed_dim :].reshape(len(rows), *key.local_shape))


@torch.no_grad()
def encode(visual: VisionTransformer, pixels: Tensor, key: CacheKey) -> Features:
    """Features of normalised images (B, 3, S, S).

    On a CPU the images go one by one: larger batches are not faster there, and an image's features then do not depend
    on its neighbours in the batch, so that cached and streamed features are the same to the last bit.
    """
    parts = torch.split(pixels, 1 if pixels.device.type == "cpu" else len(pixels))
    found = [_ENCODERS[key.kind](visual, part, key) for part in parts]
    return Features(torch.cat([one.image for one in found]), torch.cat([one.patches for one in found]))


def _patches(visual: VisionTransformer, pixels: Tensor, key: CacheKey) -> Features:
    dpam: DPAMMode = key.dpam  # type: ignore[assignment]  # one of the modes, whoever made the key saw to it
    out = visual(
        pixels,
        layers=key.layers,
        dpam=dpam,
        dpam_blocks=key.dpam_blocks,
        post_norm_class=key.post_norm_class,
    )
    return Features(out.image, _stack(out.patches, key, out.image))


def _tokens(visual: VisionTransformer, pixels: Tensor, key: CacheKey) -> Features:
    image, tokens = stage_tokens(visual, visual.embed(pixels), key.layers, post_norm=key.post_norm_class)
    return Features(image, _stack(tokens, key, image))


def _windows(visual: VisionTransformer, pixels: Tensor, key: CacheKey) -> Features:
    tokens = visual.embed(pixels)
    image = class_features(visual, tokens, post_norm=key.post_norm_class)
    return Features(image, window_features(visual, tokens, key.scales, post_norm=key.post_norm_class).unsqueeze(1))


def _stack(patches: dict[int, Tensor], key: CacheKey, like: Tensor) -> Tensor:
    if not key.layers:
        return like.new_empty(len(like), *key.local_shape)
    return torch.stack([patches[layer] for layer in key.layers], dim=1)


_ENCODERS = {"patches": _patches, "tokens": _tokens, "windows": _windows}
