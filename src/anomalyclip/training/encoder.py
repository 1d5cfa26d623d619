"""The frozen encoder's part of training: with which settings, and which of its features."""

from __future__ import annotations

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.vision import default_dpam_blocks
from anomalyclip.features.key import CacheKey, patch_key
from anomalyclip.model import ModelSettings, check_settings, default_image_size
from anomalyclip.training.config import TrainConfig


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
    return patch_key(
        clip.visual,
        clip.weights_sha256,
        image_size=settings.image_size,
        layers=settings.layers if patches else (),
        dpam=settings.dpam,
        dpam_blocks=settings.dpam_blocks,
        post_norm_class=settings.post_norm_class,
        dtype=dtype,
    )
