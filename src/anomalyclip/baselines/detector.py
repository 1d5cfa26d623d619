"""What every baseline with a scoring of its own shares: one frozen tower, a pair of text embeddings, and a record."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.data.transforms import preprocess
from anomalyclip.features.encoding import Features, encode
from anomalyclip.features.key import CacheKey
from anomalyclip.model_settings import ModelSettings, check_settings
from anomalyclip.text_embeddings import TextEmbeddings
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Self


class FeatureDetector(nn.Module, ABC):
    """Features of a frozen tower in, scores and maps out; used like :class:`anomalyclip.AnomalyCLIP` in evaluation.

    Attributes:
        method: what results call it.
        settings: see :class:`ModelSettings`.
    """

    method: str
    text_features: Tensor

    def __init__(
        self,
        visual: VisionTransformer,
        embeddings: TextEmbeddings,
        settings: ModelSettings,
        *,
        name: str,
        weights_sha256: str,
    ) -> None:
        super().__init__()
        check_settings(settings, visual.config)
        self.visual, self.settings = visual, settings
        self.name, self.weights_sha256 = name, weights_sha256
        self.prompts_name, self.prompts_sha256 = embeddings.name, embeddings.sha256
        self.register_buffer("text_features", embeddings.features)
        self.eval().requires_grad_(False)

    @abstractmethod
    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """Which of the encoder's features :meth:`score` takes."""

    @abstractmethod
    def scores_and_maps(self, features: Features) -> tuple[Tensor, Tensor]:
        """Image scores (B,) and anomaly maps (B, S, S), both in [0, 1]."""

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.text_features.device

    def preprocess(self, image: Image) -> Tensor:
        """An RGB PIL image as this model wants it: float32 (3, S, S), on the CPU."""
        return preprocess(image, self.settings.image_size)

    @torch.inference_mode()
    def score(self, features: Features) -> tuple[Tensor, Tensor]:
        """:meth:`predict` from features that were encoded before."""
        scores, maps = self.scores_and_maps(features)
        return scores.float().cpu(), maps.float().cpu()

    @torch.inference_mode()
    def predict(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, S, S), float32 on the CPU, of normalised images (B, 3, S, S)."""
        return self.score(encode(self.visual, pixel_values.to(self.device), self.feature_key()))

    def with_text(self, embeddings: TextEmbeddings) -> Self:
        """The same model with another pair of text embeddings; nothing else is copied."""
        other = copy.copy(self)
        other._buffers = dict(self._buffers)
        other.text_features = embeddings.features.to(self.device)
        other.prompts_name, other.prompts_sha256 = embeddings.name, embeddings.sha256
        return other

    def provenance(self) -> dict[str, Any]:
        """What every result file records: model, method, weights and prompts with their hashes, settings, version."""
        return {
            "model": self.name,
            "method": self.method,
            "weights_sha256": self.weights_sha256,
            "prompts": self.prompts_name,
            "prompts_sha256": self.prompts_sha256,
            "settings": self.settings.recorded(),
            "version": __version__,
        }
