"""An image's views: the boxes that go through the model in one piece, and how much each pixel of them counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.geometry.aspect import fitted_size
from anomalyclip.geometry.settings import Box, Geometry
from anomalyclip.geometry.sizes import InputSizes
from anomalyclip.geometry.tiling import tile_starts, tile_weights
from anomalyclip.settings.layout import SMALLEST_TILE

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.geometry.area import Area

    Preprocess = Callable[[Image, tuple[int, int] | None], NDArray[Any]]


@dataclass(frozen=True)
class View:
    """One box of an image, judged in one piece.

    box: pixels of the image. scale: which of the geometry's scales, from 0. size: (height, width) of the model's
    input, None for its own square. rows (box.height,) and columns (box.width,): float32 weights; over all views of one
    scale, rows x columns sum to 1 at every pixel.
    """

    box: Box
    scale: int
    size: tuple[int, int] | None
    rows: NDArray[np.float32]
    columns: NDArray[np.float32]


def plan_views(
    size: tuple[int, int], geometry: Geometry, sizes: InputSizes | None = None, area: Area | None = None
) -> list[View]:
    """The views of an image of `size` = (width, height), scale by scale, row by row; at least one.

    area: views lie in its box, and those without a pixel that counts are left out. sizes: of the model; where it takes
    no others than its own, every view has that.
    """
    whole = Box(0, 0, *size) if area is None else area.box
    views = []
    for scale, magnification in enumerate(geometry.scales):
        tile = None if geometry.tile is None else max(SMALLEST_TILE, round(geometry.tile / magnification))
        ys, xs = (_axis(length, tile, geometry.overlap) for length in (whole.height, whole.width))
        for y, rows in ys:
            for x, columns in xs:
                box = Box(whole.x + x, whole.y + y, len(columns), len(rows))
                if area is None or area.counts(box):
                    views.append(View(box, scale, _input_size(box, geometry, magnification, sizes), rows, columns))
    return views


def view_pixels(preprocess: Preprocess, image: Image, view: View) -> NDArray[Any]:
    """The view as the model wants it, (3, H, W); ``preprocess`` is the model's."""
    x, y, width, height = view.box
    part = image if (width, height) == image.size else image.crop((x, y, x + width, y + height))
    return preprocess(part, view.size)


def batches_of(views: Sequence[View], batch_size: int) -> Iterator[list[View]]:
    """Runs of views with one input size, cut to `batch_size`."""
    for _, run in groupby(views, key=lambda view: view.size):
        same = list(run)
        for start in range(0, len(same), batch_size):
            yield same[start : start + batch_size]


def geometry_record(views: Sequence[View], area: Area | None) -> dict[str, Any] | None:
    """What a result row says of its image's layout: None for one plain view of all pixels.

    views: how many. box, inside: see `Area.record`.
    """
    if len(views) == 1 and views[0].size is None and area is None:
        return None
    return {"views": len(views)} | ({} if area is None else area.record())


def _axis(length: int, tile: int | None, overlap: float) -> list[tuple[int, NDArray[np.float32]]]:
    side = length if tile is None else min(tile, length)
    starts = tile_starts(length, side, overlap)
    return list(zip(starts, tile_weights(length, side, starts), strict=True))


def _input_size(box: Box, geometry: Geometry, magnification: float, sizes: InputSizes | None) -> tuple[int, int] | None:
    magnified = 1.0 if geometry.tile is not None else magnification
    stretched = geometry.keep_aspect and box.width != box.height
    if (magnified == 1 and not stretched) or sizes is None or not sizes.resizes:
        return None
    side = round(sizes.own * magnified)
    if stretched:
        size = fitted_size(box.width, box.height, side, sizes.patch)
        return None if size == (sizes.own, sizes.own) else size
    patches = max(1, round(side / sizes.patch))
    return patches * sizes.patch, patches * sizes.patch
