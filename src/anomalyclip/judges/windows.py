"""WinCLIP, zero-shot (arXiv 2303.14814, section 4): plain CLIP on windows of the image, harmonic means, no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.clip.plain import window_count, window_patches
from anomalyclip.encoders.base import Encoder, Features
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.judges.base import Size, TextJudge
from anomalyclip.judges.tensors import on_tensors
from anomalyclip.scoring import ABNORMAL, gaussian_filter, image_score, similarity, upsample

if TYPE_CHECKING:
    from anomalyclip.judges.text import TextEmbeddings
    from anomalyclip.settings import ModelSettings

SCALES = (2, 3)
"""Sides of the small and the middle windows, in patches; the third scale is the whole image."""

ENSEMBLE = "winclip-ensemble"
"""Its compositional prompts (:data:`anomalyclip.prompts.ENSEMBLES`)."""


class WinCLIP(TextJudge):
    """Windows of 2 x 2 and 3 x 3 patches and the whole image, each judged by its class token.

    With p(f) the softmax of f's cosines to the two text embeddings at temperature ``tau``, its abnormal part:

    - image score: p(class token of the image);
    - per scale, at a patch: the harmonic mean of p(window) over the windows that hold the patch;
    - map: the harmonic mean of the two scales and of the image score, upsampled bilinearly (``sigma`` 0: not smoothed).
    """

    method = "winclip"
    takes_tensors = True

    def __init__(self, text: TextEmbeddings, settings: ModelSettings) -> None:
        self.text, self.settings = text, settings

    def needs(self, encoder: Encoder) -> FeatureRequest:
        """The class token of the image and of every window. Raises ConfigError for a grid that is too small."""
        side = self.settings.image_size // encoder.facts.patch_size
        for scale in SCALES:
            window_patches((side, side), scale)
        return FeatureRequest(image=True, windows=SCALES, post_norm_class=self.settings.post_norm_class)

    @on_tensors
    def judge(self, features: Features, size: Size) -> tuple[Tensor, Tensor]:
        settings, text = self.settings, torch.from_numpy(self.text.features).to(features.image.device)
        scores = image_score(features.image, text, settings.tau)
        windows = torch.cat([features.windows[scale] for scale in SCALES], dim=1)
        judged = similarity(windows, text, settings.tau)[..., ABNORMAL]
        maps = winclip_map(scores, judged, features.grid, SCALES)
        return scores, gaussian_filter(upsample(maps.unsqueeze(1), size).squeeze(1), settings.sigma)

    def with_text(self, text: TextEmbeddings) -> WinCLIP:
        """The same settings with another pair."""
        return WinCLIP(text, self.settings)

    def provenance(self) -> dict[str, Any]:
        """With the windows' scales; the prompts are called by the method, not by their words alone."""
        prompts = self.text.name.replace(ENSEMBLE, self.method, 1)
        return {
            "method": self.method,
            "prompts": prompts,
            "prompts_sha256": self.text.sha256,
            "scales": list(SCALES),
        }


def winclip_map(image_scores: Tensor, window_scores: Tensor, grid: tuple[int, int], scales: Sequence[int]) -> Tensor:
    """Anomaly scores (B, h, w) of the patches, the harmonic mean over all scales and the whole image.

    Args:
        image_scores: (B,) in (0, 1).
        window_scores: (B, M) in (0, 1), scale by scale, windows row by row at stride 1.
        grid: (h, w) patches. scales: sides of the windows in patches.
    """
    counts = [window_count(grid, scale) for scale in scales]
    maps = [image_scores.view(-1, 1, 1).expand(-1, *grid)]
    for scale, scores in zip(scales, torch.split(window_scores, counts, dim=1), strict=True):
        maps.append(harmonic_over_windows(scores, grid, scale))
    return _harmonic_mean(torch.stack(maps))


def harmonic_over_windows(scores: Tensor, grid: tuple[int, int], scale: int) -> Tensor:
    """Per patch, the harmonic mean (B, h, w) of the scores (B, windows) of the windows that hold it.

    Every window adds 1 / score to its patches, and 1 to their count: a transposed convolution with ones.
    """
    inverse = (1 / scores).view(-1, 1, grid[0] - scale + 1, grid[1] - scale + 1)
    ones = inverse.new_ones(1, 1, scale, scale)
    sums = F.conv_transpose2d(inverse, ones).squeeze(1)
    covering = F.conv_transpose2d(torch.ones_like(inverse[:1]), ones).squeeze(1)
    return covering / sums


def _harmonic_mean(values: Tensor) -> Tensor:
    return len(values) / (1 / values).sum(dim=0)
