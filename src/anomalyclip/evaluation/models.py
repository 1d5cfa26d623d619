"""What judges which class: one model for all, or one per class where the prompts name the object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from typing import TypeAlias

    import torch
    from PIL.Image import Image

    from anomalyclip.clip.vision import VisionTransformer
    from anomalyclip.features import CacheKey, Features
    from anomalyclip.model_settings import ModelSettings
    from anomalyclip.text_embeddings import TextEmbeddings

    Models: TypeAlias = "Detector | PerClass | Mapping[str, Detector]"


class Detector(Protocol):
    """The part of `anomalyclip.model.AnomalyCLIP` that evaluation needs; the baselines and other runtimes have it."""

    @property
    def settings(self) -> ModelSettings: ...
    @property
    def device(self) -> torch.device: ...

    def preprocess(self, image: Image) -> torch.Tensor:
        """RGB image -> (3, S, S)."""

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, S, S) -> scores (B,), maps (B, S, S), on the CPU, maps in [0, 1]."""

    def provenance(self) -> dict[str, Any]:
        """What made the results, JSON-ready."""


@runtime_checkable
class EncoderDetector(Detector, Protocol):
    """One whose encoder can be reached: its features can be kept, and its text embeddings replaced."""

    @property
    def visual(self) -> VisionTransformer: ...

    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """Which features `score` takes."""

    def score(self, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
        """What `predict` gives, from features that were encoded before."""

    def with_text(self, embeddings: TextEmbeddings) -> EncoderDetector:
        """The same with another pair of text embeddings."""


class PerClass:
    """One model per class name over one shared encoder: the text embeddings are all that differs.

    Args:
        base: any model on the encoder; its settings are everyone's.
        prompts: what the prompts are called in results.
        embeddings: class name -> its pair of text embeddings.
    """

    def __init__(self, base: EncoderDetector, prompts: str, embeddings: Mapping[str, TextEmbeddings]) -> None:
        self._base, self._prompts, self._embeddings = base, prompts, dict(embeddings)

    def for_class(self, name: str) -> EncoderDetector:
        """The model that judges images of this class; ConfigError for a class without embeddings."""
        if name not in self._embeddings:
            raise ConfigError(f"no prompts were made for the class {name!r}; known: {', '.join(self._embeddings)}")
        return self._base.with_text(self._embeddings[name])

    def provenance(self) -> dict[str, Any]:
        """The base's, with one hash over the prompts of all classes."""
        models = {name: self.for_class(name) for name in sorted(self._embeddings)}
        lines = "".join(f"{name}\t{one.provenance()['prompts_sha256']}\n" for name, one in models.items())
        return self._base.provenance() | {
            "prompts": f"{self._prompts}:<class name>",
            "prompts_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }


def model_for(models: Models, class_name: str) -> Detector:
    """The model for one class; ConfigError where a mapping lacks it."""
    if isinstance(models, PerClass):
        return models.for_class(class_name)
    if not isinstance(models, Mapping):
        return models
    if class_name not in models:
        raise ConfigError(f"no model was given for the class {class_name!r}; given: {', '.join(models)}")
    return models[class_name]


def provenance_of(models: Models) -> dict[str, Any]:
    """JSON-ready; a mapping gives one provenance per class."""
    if isinstance(models, Mapping):
        return {"classes": {name: model.provenance() for name, model in models.items()}}
    return models.provenance()
