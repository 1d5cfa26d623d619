"""CVAT's "CVAT for images 1.1": polygons, masks, ellipses; boxes, lines, points and tags have no pixels.

Its other form, "CVAT for video", holds tracks over frames that are no files: refused by name.
"""

from __future__ import annotations

import math
from pathlib import Path

from anomalyclip.data.drawing import Polygon, Runs, Shape, circle
from anomalyclip.data.exports.marks import Annotations, Marked, number, ring, size_of, whole
from anomalyclip.data.exports.xml import read_elements
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError

_UNDRAWN = ("box", "polyline", "points", "cuboid", "skeleton")


def read_cvat(path: Path, shown: str, places: Places, found: Annotations) -> None:
    """Add a file's images; one without shapes is normal. Raises InputError that names the image."""
    current: Marked | None = None
    where = shown

    def start(name: str, given: dict[str, str]) -> None:
        nonlocal current, where
        if name == "track":
            raise InputError(f"{shown} is CVAT for video, whose tracks name no files; export CVAT for images 1.1")
        if name == "image":
            where = f"{shown}, image {given.get('id', '?')}"
            if not given.get("name"):
                raise InputError(f"{where}: it has no name")
            size = size_of(given.get("width"), given.get("height"), where)
            current = found.image(places, given["name"], path, size, where)
        elif current is not None and name in _SHAPES:
            current.add(given.get("label", "anomaly"), [_SHAPES[name](given, where)])
        elif current is not None and name in _UNDRAWN:
            current.add(given.get("label", "anomaly"), [], box=True)
        elif current is not None and name == "tag":
            current.tag(given.get("label", "anomaly"))

    def end(name: str) -> None:
        nonlocal current
        if name == "image":
            current = None

    read_elements(path, start, end)


def _polygon(given: dict[str, str], where: str) -> Shape:
    values = [value for point in given.get("points", "").split(";") for value in point.split(",")]
    return Polygon((ring(values, where),))


def _mask(given: dict[str, str], where: str) -> Shape:
    left, top, width, height = (whole(given.get(name), where) for name in ("left", "top", "width", "height"))
    counts = tuple(whole(count, where) for count in given.get("rle", "").split(","))
    return Runs(counts, (left, top, width, height), by_column=False)


def _ellipse(given: dict[str, str], where: str) -> Shape:
    x, y, rx, ry = (number(given.get(name), where) for name in ("cx", "cy", "rx", "ry"))
    angle = math.radians(number(given.get("rotation", 0), where))  # clockwise, as y runs downwards
    along, across = math.cos(angle), math.sin(angle)
    ring = [(px - x, py - y) for px, py in circle((x, y), abs(rx), abs(ry))]
    return Polygon((tuple((x + dx * along - dy * across, y + dx * across + dy * along) for dx, dy in ring),))


_SHAPES = {"polygon": _polygon, "mask": _mask, "ellipse": _ellipse}
