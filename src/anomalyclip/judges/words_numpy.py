"""The verdict of words on NumPy arrays, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.scoring_arrays import anomaly_map, image_score, with_map_peak

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Features
    from anomalyclip.prompts.readout import Readout
    from anomalyclip.settings import ModelSettings

    Floats = NDArray[np.float32]


def verdict_arrays(
    features: Features,
    text: Floats,
    settings: ModelSettings,
    size: tuple[int, int],
    local: Floats | None = None,
    readout: Readout | None = None,
) -> tuple[Floats, Floats]:
    """Scores (B,) and maps (B, H, W) of features in arrays.

    ``text`` (2, E), or ``local`` (L, 2, E) for the patches; ``readout`` has its share beside the class token.
    """
    patches = [features.patches[layer] for layer in settings.layers]
    pairs = text if local is None else list(local)
    maps = anomaly_map(
        patches,
        pairs,
        size,
        tau=settings.tau,
        sigma=settings.sigma,
        grid=features.grid,
        smoothed=settings.smoothed,
    )
    scores = image_score(features.image, text, settings.tau)
    if readout is not None:
        scores = readout.mixed(scores, features.summaries)
    return with_map_peak(scores, maps, *settings.peak), maps
