"""Which model judges which class: one for all, or one per class where the prompts name the object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from typing import TypeAlias

    import torch
    from PIL.Image import Image

    from anomalyclip.model import AnomalyCLIP, ModelSettings
    from anomalyclip.text_embeddings import TextEmbeddings

    Models: TypeAlias = "Detector | PerClass | Mapping[str, Detector]"


class Detector(Protocol):
    """The part of `anomalyclip.model.AnomalyCLIP` that evaluation needs."""

    @property
    def settings(self) -> ModelSettings: ...
    @property
    def device(self) -> torch.device: ...

    def preprocess(self, image: Image) -> torch.Tensor:
        """RGB image -> (3, S, S) float32."""

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, S, S) -> scores (B,), maps (B, S, S), on the CPU, maps in [0, 1]."""

    def provenance(self) -> dict[str, Any]:
        """What made the results, JSON-ready."""


class PerClass:
    """One model per class name over one shared encoder: the text embeddings are all that differs.

    Args:
        base: any model on the encoder; its settings are everyone's.
        prompts: what the prompts are called in results.
        embeddings: class name -> its pair of text embeddings.
    """

    def __init__(self, base: AnomalyCLIP, prompts: str, embeddings: Mapping[str, TextEmbeddings]) -> None:
        self._base, self._prompts, self._embeddings = base, prompts, dict(embeddings)

    def for_class(self, name: str) -> AnomalyCLIP:
        """The model that judges images of this class; ConfigError for a class without embeddings."""
        from anomalyclip.model import AnomalyCLIP

        base = self._base
        if name not in self._embeddings:
            raise ConfigError(f"no prompts were made for the class {name!r}; known: {', '.join(self._embeddings)}")
        embeddings = self._embeddings[name]
        model = AnomalyCLIP(base.visual, embeddings, base.settings, name=base.name, weights_sha256=base.weights_sha256)
        return model.to(base.device)

    def provenance(self) -> dict[str, Any]:
        """The base's, with one hash over the prompts of all classes."""
        lines = "".join(f"{name}\t{one.sha256}\n" for name, one in sorted(self._embeddings.items()))
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


def load_for(
    classes: Sequence[str],
    model: str | Path = "pocket",
    *,
    prompts: str | Path | None = None,
    class_agnostic: bool = False,
    offline: bool = False,
    **loading: Any,
) -> AnomalyCLIP | PerClass:
    """Load what judges images of `classes`.

    Args:
        classes: class names, which fill hand-written prompts (`clip`, `clip-ac`, `winclip-ensemble` ...).
        model: as for `anomalyclip.load`.
        prompts: as for `anomalyclip.load`; `learned:PATH` is PATH.
        class_agnostic: fill hand-written prompts with "object" for every class; learned ones are so anyway.
        offline, loading: as for `anomalyclip.load`.

    Raises:
        HubError, WeightsError, PromptError, ConfigError: as `anomalyclip.load`.
    """
    from anomalyclip.model import load
    from anomalyclip.prompts import NAMES

    wanted = str(prompts).removeprefix("learned:") if prompts is not None else None
    if wanted not in NAMES or class_agnostic:
        return load(model, prompts=wanted, offline=offline, **loading)
    # Embeddings first, and the text tower gone before the model is loaded: the peak stays that of one copy.
    embeddings = _embeddings_by_class(model, str(wanted), classes, offline=offline)
    return PerClass(load(model, prompts=wanted, offline=offline, **loading), str(wanted), embeddings)


def _embeddings_by_class(
    model: str | Path, ensemble: str, classes: Sequence[str], *, offline: bool
) -> dict[str, TextEmbeddings]:
    from anomalyclip.clip.weights import load_clip
    from anomalyclip.hub import meter, resolve_model
    from anomalyclip.prompts import ensemble_text_features
    from anomalyclip.text_embeddings import TextEmbeddings

    clip = load_clip(resolve_model(model, offline=offline, meter=meter).weights)
    tokenizer = clip.tokenizer()
    found = {}
    for name in classes:
        label = f"{ensemble}:{name}"
        features = ensemble_text_features(clip, tokenizer, name, ensemble)
        found[name] = TextEmbeddings(
            features, label, hashlib.sha256(label.encode("utf-8", "backslashreplace")).hexdigest()
        )
    return found
