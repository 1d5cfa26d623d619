"""Whether a path is an exported model: asked of every model's name, so nothing is read and nothing heavy imported."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from anomalyclip.errors import ConfigError

SIDECAR = "anomalyclip.json"


def find_artefact(path: str | Path) -> Path | None:
    """The folder of an exported model where `path` is one or a file in one, else None.

    Raises ConfigError for what is no text and no path.
    """
    if not isinstance(path, str | PathLike):
        raise ConfigError(f"model {path!r} is no name and no path: give a name of `anomalyclip models list`, or a path")
    place = Path(path).expanduser()
    try:
        for folder in (place, place.parent) if place.is_file() else (place,):
            if (folder / SIDECAR).is_file():
                return folder
    except (OSError, ValueError):  # a name that is no path
        return None
    return None
