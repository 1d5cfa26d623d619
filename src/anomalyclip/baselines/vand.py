"""VAND / APRIL-GAN, zero-shot (arXiv 2305.17382): hand-written words, linear layers on the patch tokens of stages."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.baselines.detector import FeatureDetector
from anomalyclip.baselines.linear import LinearFile
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.features.encoding import Features
from anomalyclip.features.key import CacheKey, token_key
from anomalyclip.model_settings import ModelSettings
from anomalyclip.scoring import ABNORMAL, cosines, gaussian_filter, image_score, on_grid
from anomalyclip.text_embeddings import TextEmbeddings

ENSEMBLE = "april-gan-ensemble"
"""Its prompts (:data:`anomalyclip.prompts.ENSEMBLES`)."""

TAU = 0.01
"""CLIP's own temperature, 1 / 100, for the image and for the patches."""

STAGES = 4


def stage_layers(depth: int) -> tuple[int, ...]:
    """The blocks that end the four quarters of the depth.

    >>> stage_layers(24), stage_layers(12), stage_layers(6), stage_layers(3)
    ((6, 12, 18, 24), (3, 6, 9, 12), (2, 3, 5, 6), (1, 2, 3))
    """
    return tuple(dict.fromkeys(math.ceil(depth * quarter / STAGES) for quarter in range(1, STAGES + 1)))


def stage_map(patch_features: Tensor, text_features: Tensor, size: int, tau: float = TAU) -> Tensor:
    """Probabilities (B, 2, size, size) of one stage: logits are upsampled (corners aligned), then softmax.

    Args:
        patch_features: (B, N, E), projected by the stage's linear layer.
        text_features: (2, E), or (B, 2, E).
    """
    logits = on_grid(cosines(patch_features, text_features) / tau)
    return F.interpolate(logits, size=(size, size), mode="bilinear", align_corners=True).softmax(dim=1)


class VAND(FeatureDetector):
    """Plain CLIP's class token for the image; for the map, the mean over stages of the abnormal probability.

    The original sums over stages; the mean keeps the map in [0, 1] and every ranking. ``sigma`` 0: not smoothed.
    """

    method = "vand"

    def __init__(
        self,
        visual: VisionTransformer,
        file: LinearFile,
        embeddings: TextEmbeddings,
        settings: ModelSettings,
        *,
        name: str,
        weights_sha256: str,
    ) -> None:
        super().__init__(visual, embeddings, settings, name=name, weights_sha256=weights_sha256)
        self.linear = file.build().eval().requires_grad_(False)
        self.file_name, self.file_sha256 = file.path or "given", file.sha256

    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """The class token, and patch tokens as the stages' last blocks leave them."""
        settings = self.settings
        return token_key(
            self.visual,
            self.weights_sha256,
            image_size=settings.image_size,
            layers=settings.layers,
            post_norm_class=settings.post_norm_class,
            dtype=dtype,
        )

    def scores_and_maps(self, features: Features) -> tuple[Tensor, Tensor]:
        settings = self.settings
        scores = image_score(features.image, self.text_features, settings.tau)
        projected: Sequence[Tensor] = self.linear(features.patches.unbind(dim=1))
        maps = [stage_map(one, self.text_features, settings.image_size, settings.tau)[:, ABNORMAL] for one in projected]
        return scores, gaussian_filter(torch.stack(maps).mean(dim=0), settings.sigma)

    def provenance(self) -> dict[str, Any]:
        """The words and the layers together are the prompts."""
        told = super().provenance()
        both = hashlib.sha256(f"{self.file_sha256} {self.prompts_sha256}".encode()).hexdigest()
        return told | {"prompts": f"{self.file_name} with {self.prompts_name}", "prompts_sha256": both}
