"""A clock that stands until it is set, and pictures for a watched folder."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_folder import FolderSource


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _png(path: Path, grey: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (grey,) * 3).save(path)
    return path


def _score(source: FolderSource, journal: Journal) -> list[str]:
    """What the loop does with the arrivals; gives their names."""
    names = []
    for item in source.arrivals():
        source.read(item)
        mark = source.settle(item)
        assert mark is not None
        journal.record(mark, b"{}\n", [], 0.0)
        names.append(Path(item.path).name)
    return names
