"""LabelMe's JSON, one beside each image: polygons, rectangles, circles and embedded masks. No file: nothing marked."""

from __future__ import annotations

import base64
import binascii
import math
from pathlib import Path
from typing import Any

from anomalyclip.data.drawing import Bitmap, Polygon, Shape, circle
from anomalyclip.data.exports.marks import Annotations, number, pair_ring, size_of
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError

#: LabelMe's own words for what is not marked, and for what nobody has looked at.
_NO_MARKS = frozenset({"_background_", "__ignore__"})
#: Shapes that may have four corners: of LabelMe, and of X-AnyLabeling.
_CORNERED = ("rectangle", "oriented_rectangle", "rotation")


def is_labelme(content: Any) -> bool:
    """Whether parsed JSON is of LabelMe."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(content: dict[str, Any], path: Path, shown: str, places: Places, found: Annotations) -> None:
    """Add one image. Raises InputError that names the shape."""
    found.complete = False
    size = None
    if content.get("imageWidth") is not None and content.get("imageHeight") is not None:
        size = size_of(content["imageWidth"], content["imageHeight"], shown)
    marked = None
    for name in (path.stem, _last(content.get("imagePath"))):  # the image may have been renamed with its JSON
        image = places.find(name, shown, near=path.parent) if name else None
        if image is not None:
            marked = found.image(places, name, path, size, shown)
            break
    if marked is None:
        found.missing.append(_last(content.get("imagePath")) or path.stem)
        return
    flags = content.get("flags")
    for name in [name for name, on in flags.items() if on is True] if isinstance(flags, dict) else []:
        if not name.startswith("_"):  # LabelMe's own __ignore__
            marked.tag(name)
    for index, shape in enumerate(content["shapes"]):
        where = f"{shown}, shape {index}"
        if not isinstance(shape, dict):
            raise InputError(f"{where}: expected an object with label, points and shape_type")
        kind, shapes = str(shape.get("label", "anomaly")), _shapes(shape, where)
        if kind in _NO_MARKS:
            continue
        marked.add(kind, shapes, box=not shapes)


def _last(text: Any) -> str:
    return text.replace("\\", "/").rpartition("/")[2] if isinstance(text, str) else ""


def _shapes(shape: dict[str, Any], where: str) -> list[Shape]:
    """Lines and points have no area: they count as marks without pixels."""
    kind, points = shape.get("shape_type") or "polygon", shape.get("points")
    if not isinstance(points, list):
        raise InputError(f"{where}: expected points")
    corners = [(number(p[0], where), number(p[1], where)) for p in points if isinstance(p, list) and len(p) == 2]
    if kind == "polygon" or (kind in _CORNERED and len(corners) == 4):
        return [Polygon((pair_ring(points, where),))]
    if kind in ("rectangle", "circle", "mask") and len(corners) != 2:
        raise InputError(f"{where}: a {kind} needs two points")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = corners
        return [Polygon((((x0, y0), (x1, y0), (x1, y1), (x0, y1)),))]
    if kind == "circle":
        radius = math.dist(*corners)
        return [Polygon((circle(corners[0], radius, radius),))]
    if kind == "mask":
        return [_mask(decoded(shape.get("mask"), where), [round(value) for one in corners for value in one], where)]
    return []


def _mask(png: bytes, box: list[int], where: str) -> Bitmap:
    """An embedded mask. box: left, top, right, bottom, both ends within; LabelMe's own end one beyond at the border."""
    from anomalyclip.errors import ImageReadError
    from anomalyclip.io.inspection import inspect

    left, top, right, bottom = box
    try:
        header = inspect(png)
    except ImageReadError as error:
        raise InputError(f"{where}: its mask: {error}") from error
    own, told = (header.width, header.height), (right - left + 1, bottom - top + 1)
    if any(abs(a - b) > 1 for a, b in zip(own, told, strict=True)):
        raise InputError(f"{where}: its mask has {own[0]} x {own[1]} pixels, its points span {told[0]} x {told[1]}")
    return Bitmap(png, left, top)


def decoded(text: Any, where: str) -> bytes:
    """Base64 of an export. Raises InputError."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InputError(f"{where}: its bitmap is not base64 text") from error
