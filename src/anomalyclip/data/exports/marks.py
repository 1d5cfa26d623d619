"""What an export comes to: which image has which shapes, and what was left aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalyclip.data.columns import label_of
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.drawing import Point, Shape
from anomalyclip.data.masks import DrawnMask
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

_FEWEST_CORNERS = 3


@dataclass
class Marked:
    """One image of an export.

    kinds: names of what is marked. boxes: marks that have a box and no outline. tags: what is said of the whole image.
    """

    image: Path
    source: Path
    size: tuple[int, int] | None = None
    shapes: list[Shape] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    boxes: int = 0
    tags: int = 0

    @property
    def anomalous(self) -> bool:
        return bool(self.shapes or self.boxes or self.tags)

    def mask(self) -> DrawnMask | None:
        """The pixels, where every mark has an outline."""
        if not self.shapes or self.boxes or self.size is None:
            return None
        return DrawnMask(self.source, self.image.name, self.size, tuple(self.shapes))

    def add(self, kind: str, shapes: Sequence[Shape], *, box: bool = False) -> None:
        """One mark; one that is called "good", "ok" or the like marks nothing anomalous."""
        if _is_normal(kind):
            return
        self.kinds.append(kind)
        self.shapes += shapes
        self.boxes += box and not shapes

    def tag(self, kind: str) -> None:
        """A word about the whole image: it tells the label and leaves the pixels to the outlines."""
        if not _is_normal(kind):
            self.kinds += [] if label_of(kind) == ANOMALOUS else [kind]
            self.tags += 1


def _is_normal(kind: str) -> bool:
    return label_of(kind) == NORMAL and not kind.strip().isdecimal()


@dataclass
class Annotations:
    """All images of the exports that were found. tools: names of the forms. missing: listed images that are lost.
    notes: how they were read. others: words for other splits. left: their files, which were not read."""

    tools: list[str] = field(default_factory=list)
    images: dict[Path, Marked] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    others: frozenset[str] = frozenset()
    left: tuple[Path, ...] = ()
    complete: bool = True  # False: images without an entry are normal, as the tool writes none for them

    def image(self, places: Places, name: str, source: Path, size: tuple[int, int] | None, where: str) -> Marked | None:
        """The entry of an image, by what the export calls it; None, and told, where it is not there."""
        path = places.find(name, where, near=source.parent)
        if path is None:
            self.missing.append(name)
            return None
        entry = self.images.setdefault(path, Marked(path, source))
        entry.size = entry.size or size
        return entry


def number(value: Any, where: str) -> float:
    """A finite number of an export. Raises InputError."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or abs(found) > 1e9:
        raise InputError(f"{where}: expected a number, got {printable(str(value))[:60]!r}")
    return found


def whole(value: Any, where: str) -> int:
    """A whole number. Raises InputError."""
    found = number(value, where)
    if found != int(found):
        raise InputError(f"{where}: expected a whole number, got {found}")
    return int(found)


def ring(values: Sequence[Any], where: str) -> tuple[Point, ...]:
    """Points from x0, y0, x1, y1 ... Raises InputError for fewer than three."""
    if len(values) < 2 * _FEWEST_CORNERS or len(values) % 2:
        raise InputError(f"{where}: an outline needs at least three points, x and y each; got {len(values)} numbers")
    numbers = [number(value, where) for value in values]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def pair_ring(points: Sequence[Any], where: str) -> tuple[Point, ...]:
    """Points from [[x0, y0], [x1, y1], ...]. Raises InputError."""
    flat: list[Any] = []
    for point in points:
        if not isinstance(point, (list, tuple)) or len(point) != 2:
            raise InputError(f"{where}: expected points of x and y")
        flat += point
    return ring(flat, where)


def size_of(width: Any, height: Any, where: str) -> tuple[int, int]:
    """(width, height), each at least 1. Raises InputError."""
    size = whole(width, where), whole(height, where)
    if min(size) < 1:
        raise InputError(f"{where}: an image of {size[0]} x {size[1]} pixels")
    return size
