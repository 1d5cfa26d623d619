"""Exact outlines of a set of pixels: polygons along pixel edges that cover these pixels and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

Point = tuple[int, int]
Ring = list[list[int]]  # closed: the last point is the first one
Polygon = list[Ring]  # the outer ring, then holes

# Edges run right, down, left, up with their pixel on the right-hand side (y points down).
_STEPS: tuple[Point, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
_PIXEL: tuple[Point, ...] = ((0, 0), (-1, 0), (-1, -1), (0, -1))  # from an edge's start to its pixel


def outline(inside: Mask, offset: Point = (0, 0)) -> list[Polygon]:
    """The coordinates of a MultiPolygon whose area is the number of pixels.

    inside: (H, W). offset: (x, y) of its first pixel; pixel (x, y) covers the square from (x, y) to (x + 1, y + 1).
    Pixels that touch at a corner only belong to different polygons, no ring passes a point twice, and only corners are
    kept, so the result is valid as OGC Simple Features define it. Outer rings have a positive area by the shoelace
    formula in these coordinates, holes a negative one.
    """
    import cv2
    import numpy as np

    _, parts = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    polygons: dict[int, Polygon] = {}
    for (x, y), walk in _walks(inside):
        polygon = polygons.setdefault(int(parts[y, x]), [])
        for ring in _simple_rings(walk):
            moved = [[px + offset[0], py + offset[1]] for px, py in [*ring, ring[0]]]
            polygon.insert(0 if _area(ring) > 0 else len(polygon), moved)
    return list(polygons.values())


def _walks(inside: Mask) -> Iterator[tuple[Point, list[Point]]]:
    """Closed walks along the edges, as (a pixel beside it, corners). Where two walks meet they keep to their pixel."""
    import numpy as np

    height, width = inside.shape
    framed = np.pad(inside, 1)
    core = framed[1:-1, 1:-1]
    beside = (framed[:-2, 1:-1], framed[1:-1, 2:], framed[2:, 1:-1], framed[1:-1, :-2])  # above, right, below, left
    left = np.zeros(
        (height + 1, width + 1), dtype=np.uint8
    )  # bit d: the edge that starts here towards d is still to do
    for d, other in enumerate(beside):
        (rows, columns), (dx, dy) = np.nonzero(core & ~other), _PIXEL[d]
        left[rows - dy, columns - dx] |= 1 << d
    for y, x in zip(*(axis.tolist() for axis in np.nonzero(left)), strict=True):
        while left[y, x]:
            d = int(left[y, x]).bit_length() - 1
            pixel = (x + _PIXEL[d][0], y + _PIXEL[d][1])
            yield pixel, _follow(left, x, y, d)


def _follow(left: npt.NDArray[np.uint8], x: int, y: int, d: int) -> list[Point]:
    """Walk from an edge back to it, rubbing out the edges; gives the corners."""
    start, first, corners = (x, y), d, list[Point]()
    while True:
        left[y, x] &= ~(1 << d) & 0xF
        x, y = x + _STEPS[d][0], y + _STEPS[d][1]
        if (x, y) == start and not left[y, x] & (1 << ((d + 1) % 4)):
            break
        # A right turn stays with the pixel, so it comes first.
        turn = next(turn % 4 for turn in (d + 1, d, d + 3) if left[y, x] & (1 << turn % 4))
        if turn != d:
            corners.append((x, y))
        d = turn
    return [start, *corners] if d != first else corners


def _simple_rings(walk: list[Point]) -> Iterator[list[Point]]:
    """Cut a closed walk at every point it passes twice."""
    path: list[Point] = []
    place: dict[Point, int] = {}
    for point in walk:
        if point in place:
            at = place[point]
            yield path[at:]
            for passed in path[at + 1 :]:
                del place[passed]
            del path[at + 1 :]
        else:
            place[point] = len(path)
            path.append(point)
    yield path


def _area(ring: list[Point]) -> int:
    """Twice the signed area."""
    return sum(x * v - u * y for (x, y), (u, v) in zip(ring, [*ring[1:], ring[0]], strict=True))
