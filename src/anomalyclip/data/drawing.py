"""Outlines and runs to pixels, exactly: a pixel is marked where its centre lies inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

Point = tuple[float, float]


@dataclass(frozen=True)
class Polygon:
    """rings: closed outlines in pixels, (0, 0) the upper left corner of the upper left pixel; inside is what an odd
    number of them encloses, so that a ring within a ring is a hole."""

    rings: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class Runs:
    """Lengths of runs of unmarked and marked pixels in turn, in a box of an image.

    box: left, top, width, height in pixels. by_column: COCO counts down the columns, CVAT along the rows.
    """

    counts: tuple[int, ...]
    box: tuple[int, int, int, int]
    by_column: bool


@dataclass(frozen=True)
class Bitmap:
    """A small PNG as an export embeds it, its upper left corner at (left, top); any value above 0 is marked."""

    png: bytes
    left: int
    top: int


Shape = Polygon | Runs | Bitmap


def draw(shapes: Sequence[Shape], width: int, height: int) -> Mask:
    """The union of the shapes, (height, width) bool; what lies outside the image is cut off.

    Raises InputError for runs that do not fill their box, or a bitmap that cannot be read.
    """
    mask = np.zeros((height, width), dtype=np.bool_)
    for shape in shapes:
        if isinstance(shape, Polygon):
            _fill(mask, shape)
        elif isinstance(shape, Runs):
            _paste(mask, _decoded(shape), shape.box[0], shape.box[1])
        else:
            _paste(mask, _bitmap(shape, width * height), shape.left, shape.top)
    return mask


def circle(centre: Point, radius_x: float, radius_y: float) -> tuple[Point, ...]:
    """An ellipse as a ring whose edges keep within a tenth of a pixel of it."""
    radius = max(radius_x, radius_y, 1e-9)
    corners = min(720, max(16, math.ceil(math.pi / math.acos(max(0.0, 1 - 0.1 / max(radius, 0.2))))))
    angles = (2 * math.pi * step / corners for step in range(corners))
    return tuple((centre[0] + radius_x * math.cos(a), centre[1] + radius_y * math.sin(a)) for a in angles)


def _fill(mask: Mask, polygon: Polygon) -> None:
    """Even-odd rule: each edge toggles, in the rows whose centres it spans, all pixels to the right of it."""
    corners = np.asarray([point for ring in polygon.rings for point in ring], dtype=np.float64)
    if not corners.size or not np.isfinite(corners).all():
        return
    height, width = mask.shape
    left, top = (int(max(0, math.floor(low))) for low in corners.min(axis=0))
    right, bottom = (
        int(min(end, math.ceil(high))) for end, high in zip((width, height), corners.max(axis=0), strict=True)
    )
    if left >= right or top >= bottom:
        return
    toggles = np.zeros((bottom - top, right - left + 1), dtype=np.int32)
    for ring in polygon.rings:
        for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
            low, high = (y0, y1) if y0 < y1 else (y1, y0)
            # Rows whose centre y + 1/2 lies in [low, high): half open, so that shared corners count once.
            first, last = max(top, math.ceil(low - 0.5)), min(bottom, math.ceil(high - 0.5))
            if first >= last:
                continue
            rows = np.arange(first, last)
            crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.clip(np.ceil(crossing - 0.5) - left, 0, right - left).astype(np.intp)
            toggles[rows - top, columns] += 1  # an edge meets a row once
    mask[top:bottom, left:right] |= (np.cumsum(toggles, axis=1)[:, :-1] & 1).astype(np.bool_)


def _decoded(runs: Runs) -> Mask:
    _, _, width, height = runs.box
    counts = np.asarray(runs.counts, dtype=np.int64)
    if width < 1 or height < 1 or (counts < 0).any() or counts.sum() != width * height:
        raise InputError(f"its runs count {int(counts.sum())} pixels, its box has {width} x {height}")
    marked = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return marked.reshape(width, height).T if runs.by_column else marked.reshape(height, width)


def _bitmap(shape: Bitmap, most_pixels: int) -> Mask:
    from anomalyclip.errors import ImageReadError
    from anomalyclip.io.masks import mask_levels_of

    try:
        return mask_levels_of(shape.png, "the embedded bitmap", max_pixels=most_pixels).levels > 0
    except ImageReadError as error:
        raise InputError(str(error)) from error


def _paste(mask: Mask, part: Mask, left: int, top: int) -> None:
    height, width = mask.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + part.shape[1], width), min(top + part.shape[0], height)
    if x0 < x1 and y0 < y1:
        mask[y0:y1, x0:x1] |= part[y0 - top : y1 - top, x0 - left : x1 - left]


def area(ring: Sequence[Point]) -> float:
    """Of a ring, in pixels (the shoelace formula)."""
    closed = [*ring[1:], *ring[:1]]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, closed, strict=True))) / 2
