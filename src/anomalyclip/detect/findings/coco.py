"""COCO: an annotation per region, category "anomaly".

Its segmentation is a list of polygons, or, for a region with holes, which COCO's polygons cannot have, uncompressed RLE
(counts column by column, starting with pixels outside).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from anomalyclip.detect.findings.parts import LABEL, as_text, filled, listed, scored_rows, whole
from anomalyclip.detect.journal import Row
from anomalyclip.geometry.regions import Region
from anomalyclip.version import __version__


def coco(path: Path) -> Iterator[str]:
    """The parts of the file."""
    info = {"description": "regions at or above the pixel threshold", "version": f"anomalyclip {__version__}"}
    yield f'{{"info": {as_text(info)},\n"categories": [{{"id": 1, "name": "{LABEL}"}}],\n"images": [\n'
    yield from listed(
        {"id": number, "file_name": row["path"], "width": row["width"], "height": row["height"], "score": row["score"]}
        for number, row in scored_rows(path)
    )
    yield '],\n"annotations": [\n'
    annotations = chain.from_iterable(
        (_annotation(number, row, region) for region in row["regions"]) for number, row in scored_rows(path)
    )
    yield from listed({"id": number} | annotation for number, annotation in enumerate(annotations, start=1))
    yield "]}\n"


def _annotation(image: int, row: Row, region: Region) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": 1,
        "bbox": region["box"],
        "area": region["area"],
        "iscrowd": 0,
        "segmentation": _segmentation(region, row["width"], row["height"]),
        "score": region["peak"],
    }


def _segmentation(region: Region, width: int, height: int) -> list[list[int]] | dict[str, list[int]]:
    if whole(region):
        return [list(chain.from_iterable(polygon[0][:-1])) for polygon in region["polygons"]]
    return {"size": [height, width], "counts": _run_lengths(region, width * height, height)}


def _run_lengths(region: Region, pixels: int, height: int) -> list[int]:
    """Lengths of the runs of outside and inside pixels in turn, down the columns."""
    import numpy as np

    x, y = region["box"][:2]
    columns, rows = filled(region).T.nonzero()  # in the order of columns
    places = (columns + x) * height + rows + y
    starts = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    lengths = np.diff(np.append(starts, places.size))
    ends = places[starts] + lengths
    gaps = places[starts] - np.append(0, ends[:-1])
    runs: list[int] = np.stack([gaps, lengths], axis=1).ravel().tolist()
    return runs + ([pixels - int(ends[-1])] if ends[-1] < pixels else [])
