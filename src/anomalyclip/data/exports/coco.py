"""COCO's JSON: polygons, runs (plain and compressed) and boxes. An image without annotations is normal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomalyclip.data.drawing import Polygon, Runs, Shape
from anomalyclip.data.exports.marks import Annotations, Marked, ring, size_of, whole
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError


def is_coco(content: Any) -> bool:
    """Whether parsed JSON is a COCO data set."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def read_coco(content: dict[str, Any], path: Path, shown: str, places: Places, found: Annotations) -> None:
    """Add a COCO file's images. Raises InputError that names the entry."""
    kinds = {
        str(entry.get("id")): str(entry.get("name", "anomaly"))
        for entry in content.get("categories") or ()
        if isinstance(entry, dict)
    }
    by_id: dict[str, Marked | None] = {}
    for index, entry in enumerate(content["images"]):
        where = f"{shown}, image {index}"
        if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str) or not entry["file_name"]:
            raise InputError(f"{where}: expected an object with id, file_name, width and height")
        size = None
        if entry.get("width") is not None and entry.get("height") is not None:
            size = size_of(entry["width"], entry["height"], where)
        by_id[str(entry.get("id"))] = found.image(places, entry["file_name"], path, size, where)
    for index, entry in enumerate(content["annotations"]):
        where = f"{shown}, annotation {index}"
        if not isinstance(entry, dict) or str(entry.get("image_id")) not in by_id:
            raise InputError(f"{where}: it belongs to no listed image")
        marked = by_id[str(entry["image_id"])]
        if marked is None:
            continue
        kind = kinds.get(str(entry.get("category_id")), "anomaly")
        shapes = _shapes(entry.get("segmentation"), marked, where)
        marked.add(kind, shapes, box=not shapes)


def _shapes(segmentation: Any, marked: Marked, where: str) -> list[Shape]:
    if not segmentation:
        return []
    if isinstance(segmentation, dict):
        return [_runs(segmentation, marked, where)]
    if not isinstance(segmentation, list):
        raise InputError(f"{where}: segmentation must be polygons or runs")
    if segmentation and not isinstance(segmentation[0], (list, dict)):  # some tools leave the outer brackets out
        segmentation = [segmentation]
    shapes: list[Shape] = []
    for part in segmentation:
        if isinstance(part, dict):
            shapes.append(_runs(part, marked, where))
        elif isinstance(part, list) and len(part) > 4:  # a line of two points has no area
            shapes.append(Polygon((ring(part, where),)))
    return shapes


def _runs(segmentation: dict[str, Any], marked: Marked, where: str) -> Runs:
    counts, size = segmentation.get("counts"), segmentation.get("size")
    if not isinstance(size, list) or len(size) != 2:
        raise InputError(f"{where}: runs need a size of height and width")
    width, height = size_of(size[1], size[0], where)
    if marked.size is not None and marked.size != (width, height):
        raise InputError(f"{where}: its runs are of {width} x {height} pixels, its image of {marked.size}")
    marked.size = (width, height)
    if isinstance(counts, str):
        numbers = uncompressed(counts, where)
    elif isinstance(counts, list):
        numbers = tuple(whole(count, where) for count in counts)
    else:
        raise InputError(f"{where}: runs need counts")
    return Runs(numbers, (0, 0, width, height), by_column=True)


def uncompressed(text: str, where: str) -> tuple[int, ...]:
    """COCO's compressed counts: five bits a letter, the lowest first, and from the third number on differences to the
    number before the last. Raises InputError for letters that cannot be.

    >>> uncompressed("52203", "x")
    (5, 2, 2, 2, 5)
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise InputError(f"{where}: {letter!r} is no letter of compressed runs")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise InputError(f"{where}: a run is too long")
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise InputError(f"{where}: its runs are cut off")
    return tuple(counts)
