"""The verdict of words on tensors: on any device, and traced into exported graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from anomalyclip.prompts.readout import SPREAD
from anomalyclip.scoring import anomaly_map, image_score, with_map_peak

if TYPE_CHECKING:
    from anomalyclip.encoders.base import Features
    from anomalyclip.prompts.readout import Readout
    from anomalyclip.settings import ModelSettings


def verdict_tensors(
    features: Features,
    text: Any,
    settings: ModelSettings,
    size: tuple[int, int],
    local: Any = None,
    readout: Readout | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores (B,) and maps (B, H, W) of features in tensors.

    ``text`` (2, E), and ``local`` (L, 2, E) that takes its place for the patches, are arrays or tensors; ``readout``
    has its share beside the class token.
    """
    pair = _tensor(text, features)
    patches = [features.patches[layer] for layer in settings.layers]
    pairs = pair if local is None else _tensor(local, features).unbind(0)
    maps = anomaly_map(
        patches,
        pairs,
        size,
        tau=settings.tau,
        sigma=settings.sigma,
        grid=features.grid,
        smoothed=settings.smoothed,
    )
    scores = image_score(features.image, pair, settings.tau)
    if readout is not None:
        scores = (1 - readout.share) * scores + readout.share * _read_out(readout, features)
    return with_map_peak(scores, maps, *settings.peak), maps


def _read_out(readout: Readout, features: Features) -> Tensor:
    """:meth:`Readout.probability` on tensors."""
    readout.check(features.summaries)
    found = torch.cat([features.summaries[number] for number in readout.stages], dim=1)
    center, scale, weights = (_tensor(one, features) for one in (readout.center, readout.scale, readout.weights))
    return (((found - center) / scale).clamp(-SPREAD, SPREAD) @ weights + readout.bias).sigmoid()


def _tensor(values: Any, features: Features) -> Tensor:
    """On the features' device."""
    return values if isinstance(values, Tensor) else torch.from_numpy(values).to(features.image.device)
