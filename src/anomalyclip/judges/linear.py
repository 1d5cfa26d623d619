"""VAND / APRIL-GAN, zero-shot (arXiv 2305.17382): hand-written words, linear layers on the patch tokens of stages."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.encoders.base import Encoder, Features
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.judges.base import Size, TextJudge
from anomalyclip.judges.tensors import on_tensors
from anomalyclip.scoring import ABNORMAL, cosines, gaussian_filter, image_score, on_grid

if TYPE_CHECKING:
    from anomalyclip.judges.text import TextEmbeddings
    from anomalyclip.prompts.linear import LinearFile
    from anomalyclip.settings import ModelSettings

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


def stage_map(
    patch_features: Tensor,
    text_features: Tensor,
    size: int | Size,
    tau: float = TAU,
    grid: tuple[int, int] | None = None,
) -> Tensor:
    """Probabilities (B, 2, H, W) of one stage: logits are upsampled (corners aligned), then softmax.

    Args:
        patch_features: (B, N, E), projected by the stage's linear layer.
        text_features: (2, E), or (B, 2, E).
        size: (H, W), or the side of a square. grid: how the N patches lie; None is a square.
    """
    logits = on_grid(cosines(patch_features, text_features) / tau, grid)
    shape = (size, size) if isinstance(size, int) else size
    return F.interpolate(logits, size=shape, mode="bilinear", align_corners=True).softmax(dim=1)


class VAND(TextJudge):
    """Plain CLIP's class token for the image; for the map, the mean over stages of the abnormal probability.

    The original sums over stages; the mean keeps the map in [0, 1] and every ranking. ``sigma`` 0: not smoothed.
    """

    method = "vand"
    takes_tensors = True

    def __init__(self, file: LinearFile, text: TextEmbeddings, settings: ModelSettings) -> None:
        self.text, self.settings, self.file = text, settings, file
        self.linear = file.build().eval().requires_grad_(False)

    def needs(self, encoder: Encoder) -> FeatureRequest:
        """The class token, and patch tokens as the stages' last blocks leave them."""
        settings = self.settings
        return FeatureRequest(image=True, tokens=settings.layers, post_norm_class=settings.post_norm_class)

    @on_tensors
    def judge(self, features: Features, size: Size) -> tuple[Tensor, Tensor]:
        settings, device = self.settings, features.image.device
        text = torch.from_numpy(self.text.features).to(device)
        scores = image_score(features.image, text, settings.tau)
        tokens: Sequence[Tensor] = [features.tokens[layer] for layer in settings.layers]
        projected = self.linear.to(device)(tokens)
        maps = [stage_map(one, text, size, settings.tau, features.grid)[:, ABNORMAL] for one in projected]
        return scores, gaussian_filter(torch.stack(maps).mean(dim=0), settings.sigma)

    def with_text(self, text: TextEmbeddings) -> VAND:
        """The same layers with another pair."""
        other = copy.copy(self)
        other.text = text
        return other

    def provenance(self) -> dict[str, Any]:
        """The words and the layers together are the prompts."""
        both = hashlib.sha256(f"{self.file.sha256} {self.text.sha256}".encode()).hexdigest()
        prompts = f"{self.file.path or 'given'} with {self.text.name}"
        return {"method": self.method, "prompts": prompts, "prompts_sha256": both}
