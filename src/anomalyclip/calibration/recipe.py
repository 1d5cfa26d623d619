"""From which pictures, and how, a profile was made: so that it can be made anew, and pictures be known again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from anomalyclip.errors import ConfigError
from anomalyclip.hub.digests import sha256
from anomalyclip.io.frames import split_frame
from anomalyclip.io.names import printable

_SHOWN = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceRecord(_Part):
    """A picture that drew the line. path: absolute, as an input (`FILE#frame=n` of a file of several). sha256: of the
    file."""

    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Recipe(_Part):
    """What `anomalyclip calibrate` was given.

    sources: the pictures that count. fpr, pixel_fpr: as they were asked for. memory: False with `--no-memory`.
    method: what `--memory` was given. split, aligned, augment: as the options are called.
    """

    sources: tuple[SourceRecord, ...]
    fpr: Annotated[float, Field(gt=0, lt=1)]
    pixel_fpr: Annotated[float, Field(gt=0, lt=1)] | None = None
    memory: bool = True
    split: bool = False
    method: str = "auto"
    aligned: Annotated[int, Field(ge=0)] | None = None
    augment: bool = False


class Again(NamedTuple):
    """inputs: paths of the pictures that are still what they were. told: a line on those that are not."""

    inputs: list[str]
    told: list[str]


def recorded(paths: Sequence[str], **options: Any) -> Recipe:
    """The recipe of pictures, each of them a file that is there; others (arrays, names beyond Unicode) are left out."""
    sources = []
    for path in paths:
        file = _file(path)
        if file.is_file() and printable(path) == path:
            sources.append(SourceRecord(path=str(Path(path).absolute()), sha256=sha256(file)))
    return Recipe(sources=tuple(sources), **options)


def again(recipe: Recipe | None, name: str) -> Again:
    """The pictures of the profile `name`, as far as they lie where they lay and are the same.

    Raises ConfigError where none is left, or the profile does not know its pictures.
    """
    if recipe is None or not recipe.sources:
        raise ConfigError(f"the profile {name!r} does not know its pictures: calibrate with them once more")
    gone = [one.path for one in recipe.sources if not _file(one.path).is_file()]
    there = [one for one in recipe.sources if _file(one.path).is_file()]
    changed = [one.path for one in there if sha256(_file(one.path)) != one.sha256]
    inputs = [one.path for one in there if one.path not in set(changed)]
    told = [*_told(gone, "gone from where they lay"), *_told(changed, "no longer the same files, and left out")]
    if not inputs:
        raise ConfigError(f"none of the {len(recipe.sources):,} pictures is left: {'; '.join(told)}. Give the folder")
    return Again(inputs, told)


def _told(paths: Sequence[str], words: str) -> list[str]:
    if not paths:
        return []
    names = ", ".join(printable(Path(path).name) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return [f"{len(paths):,} pictures are {words}: {names}{more}"]


def _file(path: str) -> Path:
    return Path(path) if Path(path).exists() else Path(split_frame(path)[0])
