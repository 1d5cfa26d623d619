"""An image's views: the boxes that go through the model in one piece, and how much each pixel of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomalyclip.geometry.aspect import fitted_size
from anomalyclip.geometry.detector import Detector, ResizingDetector
from anomalyclip.geometry.settings import Box, Geometry
from anomalyclip.geometry.tiling import tile_starts, tile_weights
from anomalyclip.settings.layout import SMALLEST_TILE

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from anomalyclip.geometry.area import Area


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
    size: tuple[int, int], geometry: Geometry, model: Detector | None = None, area: Area | None = None
) -> list[View]:
    """The views of an image of `size` = (width, height), scale by scale, row by row; at least one.

    area: views lie in its box, and those without a pixel that counts are left out. model: asked for its input size
    where the geometry feeds others (see `check_detector`).
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
                    views.append(View(box, scale, _input_size(box, geometry, magnification, model), rows, columns))
    return views


def view_pixels(model: Detector, image: Image, view: View) -> torch.Tensor:
    """The view as the model wants it, float32 (3, H, W)."""
    x, y, width, height = view.box
    part = image if (width, height) == image.size else image.crop((x, y, x + width, y + height))
    if view.size is None:
        return model.preprocess(part)
    assert isinstance(model, ResizingDetector)  # check_detector came first
    return model.preprocess(part, view.size)


def _axis(length: int, tile: int | None, overlap: float) -> list[tuple[int, NDArray[np.float32]]]:
    side = length if tile is None else min(tile, length)
    starts = tile_starts(length, side, overlap)
    return list(zip(starts, tile_weights(length, side, starts), strict=True))


def _input_size(box: Box, geometry: Geometry, magnification: float, model: Detector | None) -> tuple[int, int] | None:
    magnified = 1.0 if geometry.tile is not None else magnification
    stretched = geometry.keep_aspect and box.width != box.height
    if (magnified == 1 and not stretched) or not isinstance(model, ResizingDetector):
        return None
    side = round(model.image_size * magnified)
    if stretched:
        size = fitted_size(box.width, box.height, side, model.patch_size)
        return None if size == (model.image_size, model.image_size) else size
    patches = max(1, round(side / model.patch_size))
    return patches * model.patch_size, patches * model.patch_size
