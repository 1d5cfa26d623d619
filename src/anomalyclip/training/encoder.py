"""The frozen encoder's part of training: which features, and how they are computed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.vision import VisionTransformer, default_dpam_blocks
from anomalyclip.model import ModelSettings, check_settings, default_image_size
from anomalyclip.training.cache import CacheKey
from anomalyclip.training.config import TrainConfig


class Features(NamedTuple):
    """``image`` (B, E) and ``patches`` (B, L, N, E) of B images."""

    image: Tensor
    patches: Tensor


def encoder_settings(config: TrainConfig, clip: CLIP) -> ModelSettings:
    """The encoder's settings with this model's defaults filled in.

    Raises:
        ConfigError: a setting the encoder cannot run.
    """
    vision = clip.config.vision
    dpam: DPAMMode = config.dpam  # type: ignore[assignment]  # one of the modes, TrainConfig saw to it
    blocks = config.dpam_blocks if config.dpam_blocks is not None else default_dpam_blocks(vision.layers)
    settings = ModelSettings(
        image_size=config.image_size or default_image_size(vision),
        layers=config.layers or (vision.layers,),
        dpam=dpam,
        dpam_blocks=blocks,
    )
    check_settings(settings, vision)
    return settings


def cache_key(settings: ModelSettings, clip: CLIP, *, dtype: str, patches: bool) -> CacheKey:
    """What the features of ``clip`` with these settings are kept under; without ``patches`` the global one alone."""
    return CacheKey(
        weights_sha256=clip.weights_sha256,
        dpam=settings.dpam,
        dpam_blocks=settings.dpam_blocks,
        layers=settings.layers if patches else (),
        image_size=settings.image_size,
        embed_dim=clip.config.embed_dim,
        patches=(settings.image_size // clip.config.vision.patch_size) ** 2,
        dtype=dtype,
    )


@torch.no_grad()
def encode(visual: VisionTransformer, pixels: Tensor, key: CacheKey) -> Features:
    """Features of normalised images (B, 3, S, S).

    On a CPU the images go one by one: larger batches are not faster there, and an image's features then do not depend
    on its neighbours in the batch, so that cached and streamed training are the same to the last bit.
    """
    dpam: DPAMMode = key.dpam  # type: ignore[assignment]
    images, patches = [], []
    for part in torch.split(pixels, 1 if pixels.device.type == "cpu" else len(pixels)):
        out = visual(part, layers=key.layers, dpam=dpam, dpam_blocks=key.dpam_blocks)
        images.append(out.image)
        empty = out.image.new_empty(len(part), 0, key.patches, key.embed_dim)
        patches.append(torch.stack([out.patches[layer] for layer in key.layers], dim=1) if key.layers else empty)
    return Features(torch.cat(images), torch.cat(patches))
