"""What tensors' shapes do not tell about a CLIP, and who told it: a config beside the weights, or the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anomalyclip.clip.config import NORM_EPS, Activation
from anomalyclip.clip.preprocessing import Preprocessing


@dataclass(frozen=True)
class TowerFacts:
    """Of one tower. ``shapes`` is what the config says of the tensors' shapes: name of a field -> value."""

    heads: int
    activation: Activation
    norm_eps: float = NORM_EPS
    shapes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Of both towers.

    Attributes:
        told_by: who said so, for provenance and messages.
        embed_dim: what the config says of the shared width; None where it does not.
        end: id of the end-of-text token; None is the largest of a text.
        preprocessing: how pixels were prepared when the model was trained.
    """

    told_by: str
    vision: TowerFacts
    text: TowerFacts
    embed_dim: int | None = None
    end: int | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


@dataclass(frozen=True)
class Given:
    """What the user says of weights that do not say it themselves; it goes before what a config says.

    Attributes:
        activation: of both towers.
        heads: of the vision and of the text tower.
        published: name of the published model whose architecture this is, as ``open_clip:ViT-B-16-plus-240``
            (see :mod:`anomalyclip.clip.published`).
    """

    activation: Activation | None = None
    heads: tuple[int, int] | None = None
    published: str | None = None

    def __bool__(self) -> bool:
        return self != Given()

    def words(self) -> str:
        """For provenance."""
        told = (("activation", self.activation), ("heads", self.heads), ("architecture", self.published))
        return "given: " + ", ".join(f"{name} {_plain(value)}" for name, value in told if value is not None)


@dataclass(frozen=True)
class KnownWeights(os.PathLike[str]):
    """A weights file or folder together with what is known about it."""

    path: Path
    given: Given

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def _plain(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
