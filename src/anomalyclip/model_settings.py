"""Everything besides weights and prompts that decides a score: values, defaults and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anomalyclip.clip.attention import DPAM_MODES, DPAMMode
from anomalyclip.clip.config import VisionConfig
from anomalyclip.clip.vision import check_layers, default_dpam_blocks
from anomalyclip.errors import ConfigError
from anomalyclip.scoring import TAU
from anomalyclip.text_embeddings import Preset

PUBLISHED_IMAGE_SIZE = 518  # METHOD section 2; 37 x 37 patches of 14 pixels


@dataclass(frozen=True)
class ModelSettings:
    """Everything besides weights and prompts that decides a score.

    Attributes:
        image_size: side in pixels the image is resized to.
        layers: 1-based vision blocks whose patch features make the anomaly map.
        dpam: attention of the local path; ``qk`` is off.
        dpam_blocks: how many last blocks run two paths.
        sigma: of the Gaussian over the anomaly map, in pixels of ``image_size``.
        tau: temperature.
        post_norm_class: LN_post on the class token, as plain CLIP does and the reference does not.
        map_weight: share of the anomaly map's peak in the image score, 0 (the paper's) to 1.
    """

    image_size: int
    layers: tuple[int, ...]
    dpam: DPAMMode = "vv"
    dpam_blocks: int = 19
    sigma: float = 4.0
    tau: float = TAU
    post_norm_class: bool = False
    map_weight: float = 0.0


def settings_for(
    vision: VisionConfig,
    preset: Preset,
    *,
    layers: Sequence[int] | None = None,
    image_size: int | None = None,
    dpam: DPAMMode | None = None,
    dpam_blocks: int | None = None,
    sigma: float | None = None,
    tau: float | None = None,
    post_norm_class: bool | None = None,
    map_weight: float | None = None,
) -> ModelSettings:
    """What is given, else what comes with the prompts, else the method's default for this encoder."""
    blocks = dpam_blocks if dpam_blocks is not None else preset.dpam_blocks
    return ModelSettings(
        image_size=image_size or preset.image_size or default_image_size(vision),
        layers=tuple(layers) if layers is not None else preset.layers or (vision.layers,),
        dpam=dpam or preset.dpam,
        dpam_blocks=default_dpam_blocks(vision.layers) if blocks is None else blocks,
        sigma=preset.sigma if sigma is None else sigma,
        tau=tau or preset.tau,
        post_norm_class=preset.post_norm_class if post_norm_class is None else post_norm_class,
        map_weight=preset.map_weight if map_weight is None else map_weight,
    )


def default_image_size(vision: VisionConfig) -> int:
    """518 for encoders with 14-pixel patches trained at 224 or more, else the size they were trained at."""
    return PUBLISHED_IMAGE_SIZE if vision.patch_size == 14 and vision.image_size >= 224 else vision.image_size


def check_settings(settings: ModelSettings, vision: VisionConfig) -> None:
    """Refuse settings this encoder cannot run; raises :class:`ConfigError` naming the setting and its range."""
    check_layers(settings.layers, vision.layers)
    if not settings.layers:
        raise ConfigError("layers is empty; name at least one block whose patch features make the map")
    if settings.image_size < vision.patch_size:
        raise ConfigError(f"image_size {settings.image_size} is below one patch ({vision.patch_size} pixels)")
    if settings.dpam not in DPAM_MODES:
        raise ConfigError(f"dpam must be one of {', '.join(DPAM_MODES)}, got {settings.dpam!r}")
    if not 0 <= settings.dpam_blocks <= vision.layers:
        raise ConfigError(f"dpam_blocks must lie in 0..{vision.layers}, got {settings.dpam_blocks}")
    if settings.sigma < 0 or settings.tau <= 0:
        raise ConfigError(f"sigma must be 0 or more and tau above 0, got sigma {settings.sigma}, tau {settings.tau}")
    if not 0 <= settings.map_weight <= 1:
        raise ConfigError(f"map_weight must lie in 0..1, got {settings.map_weight}")
