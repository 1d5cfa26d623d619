"""The verdict of words on tensors: on any device, and traced into exported graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from anomalyclip.scoring import anomaly_map, image_score, with_map_peak

if TYPE_CHECKING:
    from anomalyclip.encoders.base import Features
    from anomalyclip.settings import ModelSettings


def verdict_tensors(
    features: Features, text: Any, settings: ModelSettings, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Scores (B,) and maps (B, H, W) of features in tensors; ``text`` (2, E) is an array or a tensor."""
    pair = text if isinstance(text, Tensor) else torch.from_numpy(text).to(features.image.device)
    patches = [features.patches[layer] for layer in settings.layers]
    maps = anomaly_map(patches, pair, size, tau=settings.tau, sigma=settings.sigma, grid=features.grid)
    scores = image_score(features.image, pair, settings.tau)
    return with_map_peak(scores, maps, *settings.peak), maps
