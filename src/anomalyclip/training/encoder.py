"""The frozen encoder's part of training: with which settings, and which of its features."""

from __future__ import annotations

from collections.abc import Callable

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.plain import class_norm
from anomalyclip.clip.vision import default_dpam_blocks
from anomalyclip.encoders.base import Encoder, EncoderFacts
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.features.key import CacheKey, key_of
from anomalyclip.judges.linear import stage_layers
from anomalyclip.opening_call import Call
from anomalyclip.settings import ModelSettings
from anomalyclip.settings.resolving import check_settings, default_image_size
from anomalyclip.training.config import TrainConfig


def encoder_settings(config: TrainConfig, clip: CLIP) -> ModelSettings:
    """The encoder's settings with the method's and this model's defaults filled in.

    Raises:
        ConfigError: a setting the encoder cannot run.
    """
    vision, recipe = clip.config.vision, config.recipe
    dpam: DPAMMode = recipe.dpam  # type: ignore[assignment]  # one of the modes, TrainConfig saw to it
    blocks = config.dpam_blocks if config.dpam_blocks is not None else default_dpam_blocks(vision.layers)
    stages = stage_layers(vision.layers) if recipe.staged else (vision.layers,)
    settings = ModelSettings(
        image_size=config.image_size or default_image_size(vision),
        layers=config.layers or stages,
        dpam=dpam,
        dpam_blocks=blocks,
        sigma=recipe.sigma,
        tau=recipe.tau,
        post_norm_class=recipe.plain and class_norm(vision),
    )
    check_settings(settings, vision)
    return settings


def open_encoder(
    config: TrainConfig, clip: CLIP, name: str, image_size: int, wanted: Callable[[EncoderFacts], CacheKey]
) -> Encoder:
    """What gives the features that are learned from: the tower itself, or a runtime's own encoder of the same weights.

    Raises:
        ConfigError: the runtime is not installed, or its features are not to be kept.
    """
    tower = TorchEncoder(clip.visual, name=name, weights_sha256=clip.weights_sha256)
    if config.runtime == "torch":
        return tower
    if not config.cache:
        raise ConfigError(f"--runtime {config.runtime} encodes every image once: leave --no-cache out")
    call = Call(
        config.model,
        "clip",  # words of any kind: only features are asked for
        config.runtime,
        threads=config.threads,
        offline=config.offline,
        settings={"image_size": image_size},
        told=config.told,
    )
    return call.encoder(wanted(tower.facts).request)


def features_of(config: TrainConfig, settings: ModelSettings, facts: EncoderFacts, *, dtype: str) -> CacheKey:
    """Which of the encoder's features the method learns from; without local terms the global one alone."""
    recipe, norm = config.recipe, settings.post_norm_class
    if recipe.features == "tokens":
        request = FeatureRequest(image=True, tokens=settings.layers, post_norm_class=norm)
    else:
        request = FeatureRequest(
            image=True,
            patches=settings.layers if recipe.level != "image" else (),
            dpam=settings.dpam,
            dpam_blocks=settings.dpam_blocks,
            post_norm_class=norm,
        )
    return key_of(facts, request, settings.image_size, dtype)
