"""From what is given and what comes with the prompts to the settings of one encoder, and what it cannot run."""

from __future__ import annotations

from typing import Any

from anomalyclip.clip.config import VisionConfig, check_layers, default_dpam_blocks
from anomalyclip.errors import ConfigError
from anomalyclip.settings.scoring import ModelSettings, Preset, check_deciding, chosen

PUBLISHED_IMAGE_SIZE = 518  # METHOD section 2; 37 x 37 patches of 14 pixels


def settings_for(vision: VisionConfig, preset: Preset, **given: Any) -> ModelSettings:
    """What is given by name (None is not given), else what comes with the prompts, else the method's for this encoder.

    Raises:
        ConfigError: a name that is no setting, or a value out of its range.
    """
    found = chosen(preset, given)
    blocks = found["dpam_blocks"]
    return ModelSettings(
        **found
        | {
            "image_size": found["image_size"] or default_image_size(vision),
            "layers": tuple(found["layers"] or (vision.layers,)),
            "dpam_blocks": default_dpam_blocks(vision.layers) if blocks is None else blocks,
        }
    )


def default_image_size(vision: VisionConfig) -> int:
    """518 for encoders with 14-pixel patches trained at 224 or more, else the size they were trained at."""
    return PUBLISHED_IMAGE_SIZE if vision.patch_size == 14 and vision.image_size >= 224 else vision.image_size


def check_settings(settings: ModelSettings, vision: VisionConfig) -> None:
    """Refuse settings this encoder cannot run; raises :class:`ConfigError` naming the setting and its range."""
    check_deciding(vars(settings))
    check_layers(settings.layers, vision.layers)
    if settings.image_size < vision.patch_size:
        raise ConfigError(f"image_size {settings.image_size} is below one patch ({vision.patch_size} pixels)")
    if settings.dpam_blocks > vision.layers:
        raise ConfigError(f"dpam_blocks must lie in 0..{vision.layers}, got {settings.dpam_blocks}")
