"""WinCLIP, zero-shot (arXiv 2303.14814, section 4): plain CLIP on windows of the image, harmonic means, no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.baselines.detector import FeatureDetector
from anomalyclip.clip.plain import window_count, window_patches
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.features.encoding import Features
from anomalyclip.features.key import CacheKey, window_key
from anomalyclip.model_settings import ModelSettings
from anomalyclip.scoring import ABNORMAL, gaussian_filter, image_score, similarity, upsample
from anomalyclip.text_embeddings import TextEmbeddings

SCALES = (2, 3)
"""Sides of the small and the middle windows, in patches; the third scale is the whole image."""

ENSEMBLE = "winclip-ensemble"
"""Its compositional prompts (:data:`anomalyclip.prompts.ENSEMBLES`)."""


class WinCLIP(FeatureDetector):
    """Windows of 2 x 2 and 3 x 3 patches and the whole image, each judged by its class token.

    With p(f) the softmax of f's cosines to the two text embeddings at temperature ``tau``, its abnormal part:

    - image score: p(class token of the image);
    - per scale, at a patch: the harmonic mean of p(window) over the windows that hold the patch;
    - map: the harmonic mean of the two scales and of the image score, upsampled bilinearly (``sigma`` 0: not smoothed).
    """

    method = "winclip"

    def __init__(
        self,
        visual: VisionTransformer,
        embeddings: TextEmbeddings,
        settings: ModelSettings,
        *,
        name: str,
        weights_sha256: str,
    ) -> None:
        super().__init__(visual, embeddings, settings, name=name, weights_sha256=weights_sha256)
        self.grid = settings.image_size // visual.config.patch_size
        for scale in SCALES:
            window_patches(self.grid, scale)  # refuses a grid that is too small

    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """The class token of the image and of every window."""
        return window_key(
            self.visual,
            self.weights_sha256,
            image_size=self.settings.image_size,
            scales=SCALES,
            post_norm_class=self.settings.post_norm_class,
            dtype=dtype,
        )

    def scores_and_maps(self, features: Features) -> tuple[Tensor, Tensor]:
        settings = self.settings
        scores = image_score(features.image, self.text_features, settings.tau)
        windows = similarity(features.patches[:, 0], self.text_features, settings.tau)[..., ABNORMAL]
        maps = winclip_map(scores, windows, self.grid, SCALES)
        return scores, gaussian_filter(upsample(maps.unsqueeze(1), settings.image_size).squeeze(1), settings.sigma)

    def provenance(self) -> dict[str, Any]:
        """With the windows' scales; the prompts are called by the method, not by their words alone."""
        told = super().provenance()
        return told | {"prompts": told["prompts"].replace(ENSEMBLE, self.method, 1), "scales": list(SCALES)}


def winclip_map(image_scores: Tensor, window_scores: Tensor, grid: int, scales: Sequence[int]) -> Tensor:
    """Anomaly scores (B, grid, grid) of the patches, the harmonic mean over all scales and the whole image.

    Args:
        image_scores: (B,) in (0, 1).
        window_scores: (B, M) in (0, 1), scale by scale, windows row by row at stride 1.
        grid: patches per side. scales: sides of the windows in patches.
    """
    counts = [window_count(grid, scale) for scale in scales]
    maps = [image_scores.view(-1, 1, 1).expand(-1, grid, grid)]
    for scale, scores in zip(scales, torch.split(window_scores, counts, dim=1), strict=True):
        maps.append(harmonic_over_windows(scores, grid, scale))
    return _harmonic_mean(torch.stack(maps))


def harmonic_over_windows(scores: Tensor, grid: int, scale: int) -> Tensor:
    """Per patch, the harmonic mean (B, grid, grid) of the scores (B, windows) of the windows that hold it.

    Every window adds 1 / score to its patches, and 1 to their count: a transposed convolution with ones.
    """
    side = grid - scale + 1
    inverse = (1 / scores).view(-1, 1, side, side)
    ones = inverse.new_ones(1, 1, scale, scale)
    sums = F.conv_transpose2d(inverse, ones).squeeze(1)
    covering = F.conv_transpose2d(torch.ones_like(inverse[:1]), ones).squeeze(1)
    return covering / sums


def _harmonic_mean(values: Tensor) -> Tensor:
    return len(values) / (1 / values).sum(dim=0)
