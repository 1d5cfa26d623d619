"""What judges which class: one detector for all, or one per class where the prompts name the object."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from typing import TypeAlias

    from anomalyclip.detector import Detector
    from anomalyclip.judges.base import Judge

    Models: TypeAlias = "Detector | ByClass | Mapping[str, Detector]"


class ByClass(ABC):
    """Knows the detector of every class."""

    @abstractmethod
    def for_class(self, name: str) -> Detector:
        """The detector that judges images of this class."""

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """What every result file records."""


class PerClass(ByClass):
    """One detector per class name over one shared encoder: the judges are all that differs.

    Args:
        base: any detector on the encoder; its settings are everyone's.
        prompts: what the prompts are called in results.
        judges: class name -> its judge.
    """

    def __init__(self, base: Detector, prompts: str, judges: Mapping[str, Judge]) -> None:
        self._base, self._prompts, self._judges = base, prompts, dict(judges)

    def for_class(self, name: str) -> Detector:
        """The detector that judges images of this class; ConfigError for a class without prompts."""
        if name not in self._judges:
            raise ConfigError(f"no prompts were made for the class {name!r}; known: {', '.join(self._judges)}")
        return self._base.with_judge(self._judges[name])

    def provenance(self) -> dict[str, Any]:
        """The base's, with one hash over the prompts of all classes."""
        told = {name: self._judges[name].provenance()["prompts_sha256"] for name in sorted(self._judges)}
        lines = "".join(f"{name}\t{digest}\n" for name, digest in told.items())
        return self._base.provenance() | {
            "prompts": f"{self._prompts}:<class name>",
            "prompts_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }


def model_for(models: Models, class_name: str) -> Detector:
    """The detector for one class; ConfigError where a mapping lacks it."""
    if isinstance(models, ByClass):
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
