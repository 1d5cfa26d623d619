"""`findings.*`: the regions of a whole run with their outlines, for other tools.

All are written in a stream from `results.jsonl`, whose rows hold the polygons (`Rules.outlines`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from anomalyclip.detect import folder
from anomalyclip.detect.findings.coco import coco
from anomalyclip.detect.findings.cvat import cvat
from anomalyclip.detect.findings.geojson import geojson
from anomalyclip.detect.findings.label_studio import label_studio
from anomalyclip.io.atomic import atomic_write

FindingsFormat = Literal["coco", "geojson", "cvat", "label-studio"]

#: format -> the parts of its file, from an output folder
WRITERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "coco": coco,
    "geojson": geojson,
    "cvat": cvat,
    "label-studio": label_studio,
}


def write_findings(path: Path, fmt: FindingsFormat) -> Path:
    """Build the findings of an output folder from its rows, atomically; returns the file's path. Raises OutputError."""
    target = path / folder.FINDINGS[fmt]
    with atomic_write(target) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(WRITERS[fmt](path))
    return target
