"""Which good patch a suspicious patch was compared with: what an inspector wants to see beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.geometry import Region, View
    from anomalyclip.judges.verdicts import Nearest

Place = tuple[float, float, float, float]


class Compared(TypedDict):
    """A patch of a picture and its nearest good one.

    patch: its [x, y, width, height] in pixels of the picture. number, picture: of the good picture in the memory, from
    0, and its file's name. box: the good patch, in pixels of that picture. size: its [width, height]. distance: 1 - cos
    of their features, 0 to 2.
    """

    patch: list[int]
    number: int
    picture: str
    box: list[int]
    size: list[int]
    distance: float


class Looked(NamedTuple):
    """One view of a picture, and what its patches were compared with."""

    view: View
    nearest: Nearest


def compared_at(looked: Sequence[Looked], point: Sequence[int]) -> Compared | None:
    """The comparison of the patch at a pixel [x, y]; of several views that show it, the one that differs most.

    None where no view shows the pixel, or the memory does not know where its patches lay.
    """
    x, y = point
    best: tuple[float, Looked, int] | None = None
    for one in looked:
        left, top, width, height = one.view.box
        if not (left <= x < left + width and top <= y < top + height):
            continue
        rows, columns = one.nearest.grid
        patch = int((y - top) * rows / height) * columns + int((x - left) * columns / width)
        distance = float(one.nearest.distances[patch])
        if best is None or distance > best[0]:
            best = distance, one, patch
    return None if best is None else _told(best[1], best[2], best[0])


def explain(regions: Sequence[Region], looked: Sequence[Looked]) -> None:
    """Put under "nearest" of each region what the patch at its peak was compared with."""
    for region in regions if looked else ():
        if (nearest := compared_at(looked, region["peak_xy"])) is not None:
            region["nearest"] = nearest


def _told(looked: Looked, patch: int, distance: float) -> Compared | None:
    line, row = looked.nearest.against, int(looked.nearest.rows[patch])
    if not len(line.boxes):
        return None
    number = int(line.bank.pictures[row])
    return Compared(
        patch=_whole(patch_box(looked.view.box, looked.nearest.grid, patch)),
        number=number,
        picture=line.names[number],
        box=[int(value) for value in line.boxes[row]],
        size=[int(value) for value in line.sizes[number]],
        distance=round(distance, 6),
    )


def patch_box(view: Sequence[int], grid: tuple[int, int], patch: int) -> Place:
    """(x, y, width, height) in pixels of patch number `patch` of a view [x, y, width, height] of (h, w) patches."""
    left, top, width, height = view
    rows, columns = grid
    row, column = divmod(patch, columns)
    return left + column * width / columns, top + row * height / rows, width / columns, height / rows


def boxes_of(view: Sequence[int], grid: tuple[int, int]) -> NDArray[np.int32]:
    """Where the patches of a view [x, y, width, height] lie, (h w, 4) in whole pixels, row by row. grid: (h, w)."""
    return np.array([_whole(patch_box(view, grid, patch)) for patch in range(grid[0] * grid[1])], np.int32)


def _whole(place: Place) -> list[int]:
    """Whole pixels that hold the patch, at least one."""
    x, y, width, height = place
    left, top = int(x), int(y)
    return [left, top, max(1, int(np.ceil(x + width - 1e-9)) - left), max(1, int(np.ceil(y + height - 1e-9)) - top)]
