"""Supervisely's JSON (ann/NAME.json beside img/): polygons with holes, bitmaps, rectangles."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from anomalyclip.data.columns import label_of
from anomalyclip.data.dataset import ANOMALOUS
from anomalyclip.data.drawing import Bitmap, Polygon, Shape
from anomalyclip.data.exports.labelme import decoded
from anomalyclip.data.exports.marks import Annotations, pair_ring, size_of, whole
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError

_MOST_BYTES = 64 << 20  # of one unpacked bitmap


def is_supervisely(content: Any) -> bool:
    """Whether parsed JSON is one image's annotation."""
    return (
        isinstance(content, dict) and isinstance(content.get("objects"), list) and isinstance(content.get("size"), dict)
    )


def is_project(content: Any) -> bool:
    """Whether it is a project's meta.json, which holds names and colours of classes only."""
    return isinstance(content, dict) and isinstance(content.get("classes"), list) and "tags" in content


def read_supervisely(content: dict[str, Any], path: Path, shown: str, places: Places, found: Annotations) -> None:
    """Add one image. Raises InputError that names the object."""
    size = size_of(content["size"].get("width"), content["size"].get("height"), shown)
    folder = path.parent.parent.relative_to(places.root)
    name = path.name[: -len(".json")]
    marked = found.image(places, (folder / "img" / name).as_posix(), path, size, shown)
    if marked is None:
        return
    tags = content.get("tags")
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and label_of(str(tag.get("name", ""))) == ANOMALOUS:  # others are splits, places ...
            marked.tag(str(tag["name"]))
    for index, entry in enumerate(content["objects"]):
        where = f"{shown}, object {index}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: expected an object with classTitle and geometryType")
        shapes = _shapes(entry, where)
        marked.add(str(entry.get("classTitle", "anomaly")), shapes, box=not shapes)


def _shapes(entry: dict[str, Any], where: str) -> list[Shape]:
    kind = entry.get("geometryType")
    if kind == "bitmap":
        bitmap = entry.get("bitmap")
        if not isinstance(bitmap, dict) or not isinstance(bitmap.get("origin"), list) or len(bitmap["origin"]) != 2:
            raise InputError(f"{where}: expected a bitmap with data and origin")
        left, top = (whole(value, where) for value in bitmap["origin"])
        return [Bitmap(_unpacked(decoded(bitmap.get("data"), where), where), left, top)]
    points = entry.get("points")
    if kind not in ("polygon", "rectangle") or not isinstance(points, dict):
        return []
    outer, inner = points.get("exterior") or [], points.get("interior") or []
    if kind == "rectangle":
        if len(outer) != 2:
            raise InputError(f"{where}: a rectangle needs two points")
        (x0, y0), (x1, y1) = outer
        outer = [[x0, y0], [x1 + 1, y0], [x1 + 1, y1 + 1], [x0, y1 + 1]]  # its corners are pixels, the last included
    return [Polygon((pair_ring(outer, where), *(pair_ring(hole, where) for hole in inner)))]


def _unpacked(data: bytes, where: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        png = unpacker.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise InputError(f"{where}: its bitmap is damaged ({error})") from error
    if unpacker.unconsumed_tail:
        raise InputError(f"{where}: its bitmap unpacks to more than {_MOST_BYTES >> 20} MB")
    return png
