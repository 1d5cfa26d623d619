"""The pictures that `calibrate` draws beside a profile with a memory: no parts, good or bad."""

from __future__ import annotations

from pathlib import Path

_MEMORY = ".memory.safetensors"


def charts_among(names: set[str]) -> set[str]:
    """Of the names of a folder's files.

    >>> names = {"line.json", "line.png", "line.1.png", "line.1.memory.safetensors", "line.2.png", "a.png"}
    >>> sorted(charts_among(names))
    ['line.1.png', 'line.png']
    """
    found = set()
    for name in names:
        if not name.endswith(_MEMORY):
            continue
        base = name.removesuffix(_MEMORY)  # FILE.PROFILE
        stems = [base[:at] for at, sign in enumerate(base) if sign == "." and f"{base[:at]}.json" in names]
        if stems:
            found |= {f"{stem}.png" for stem in (*stems, base)}
    return found & names


def charts_in(folder: str | Path) -> set[str]:
    """Names of those in a folder, which no scan of it takes; none in what is no folder."""
    try:
        return charts_among({path.name for path in Path(folder).iterdir()})
    except OSError:
        return set()
