"""`findings.coco.json` or `findings.geojson`: the regions of a whole run with their outlines, for other tools.

Both are written in a stream from `results.jsonl`, whose rows hold the polygons (`Rules.outlines`).

COCO: an annotation per region, category "anomaly". Its segmentation is a list of polygons, or, for a region with holes,
which COCO's polygons cannot have, uncompressed RLE (counts column by column, starting with pixels outside).
GeoJSON: a feature per region, a MultiPolygon in pixels of its image, y down; there is no map behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows
from anomalyclip.geometry.regions import Region
from anomalyclip.io.atomic import atomic_write
from anomalyclip.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FindingsFormat = Literal["coco", "geojson"]

_MEASURES = ("box", "area", "peak", "peak_xy", "mean", "centroid")


def write_findings(path: Path, fmt: FindingsFormat) -> Path:
    """Build the findings of an output folder from its rows, atomically; returns the file's path. Raises OutputError."""
    target = path / folder.FINDINGS[fmt]
    parts = _coco(path) if fmt == "coco" else _geojson(path)
    with atomic_write(target) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(parts)
    return target


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of images with a score, numbered from 1."""
    rows = (row for _, row in read_rows(path / folder.RESULTS) if row["score"] is not None)
    return enumerate(rows, start=1)


def _coco(path: Path) -> Iterator[str]:
    info = {"description": "regions at or above the pixel threshold", "version": f"anomalyclip {__version__}"}
    yield f'{{"info": {_text(info)},\n"categories": [{{"id": 1, "name": "anomaly"}}],\n"images": [\n'
    yield from _listed(
        {"id": number, "file_name": row["path"], "width": row["width"], "height": row["height"], "score": row["score"]}
        for number, row in _rows(path)
    )
    yield '],\n"annotations": [\n'
    annotations = chain.from_iterable(
        (_annotation(number, row, region) for region in row["regions"]) for number, row in _rows(path)
    )
    yield from _listed({"id": number} | annotation for number, annotation in enumerate(annotations, start=1))
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
    if all(len(polygon) == 1 for polygon in region["polygons"]):
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


def filled(region: Region) -> npt.NDArray[np.bool_]:
    """The pixels (height, width) of the region's box that lie inside its polygons."""
    import numpy as np

    x, y, width, height = region["box"]
    crossings = np.zeros((height, width + 1), dtype=np.uint8)
    for ring in chain.from_iterable(region["polygons"]):
        for (from_x, from_y), (to_x, to_y) in pairwise(ring):
            if from_x == to_x:
                crossings[min(from_y, to_y) - y : max(from_y, to_y) - y, from_x - x] += 1
    return np.asarray(np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1)


def _geojson(path: Path) -> Iterator[str]:
    yield '{"type": "FeatureCollection",\n"unit": "pixels of the image at `path`, y down",\n"features": [\n'
    yield from _listed(
        {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": region["polygons"]},
            "properties": {
                **{key: row[key] for key in ("path", "width", "height", "score", "decision")},
                **{key: dict(region)[key] for key in _MEASURES},
            },
        }
        for _, row in _rows(path)
        for region in row["regions"]
    )
    yield "]}\n"


def _listed(things: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Members of a JSON array, one per line."""
    for number, thing in enumerate(things):
        yield (",\n" if number else "") + _text(thing)
    yield "\n"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
