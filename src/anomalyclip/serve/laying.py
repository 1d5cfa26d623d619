"""Tiles, scales, proportions and a region, as a request asks for them: one image view by view."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Area, Areas, Assembly, Geometry, parse_layout, plan_views, view_pixels
from anomalyclip.geometry.views import View, geometry_record
from anomalyclip.io import notes_of, thumbnail_data_uri
from anomalyclip.serve.uploads import Upload
from anomalyclip.serve.work import Deciding, Decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector
    from anomalyclip.serve.schemas import DetectOptions

#: views of one image that a request may ask for: each costs as much as an image
MOST_VIEWS = 1024
#: how many times the pixels of the model's own input one view may have: the model's memory grows with their square
LARGEST_VIEW = 4

_FIELDS = ("tile", "overlap", "scales", "keep_aspect", "roi")


def layout_of(options: DetectOptions) -> tuple[Geometry, Areas]:
    """What the query says of the layout. Raises ConfigError, InputError."""
    if options.overlap is not None and options.tile is None:
        raise ConfigError("overlap is of tiles: add tile")
    given: Any = {name: getattr(options, name) for name in _FIELDS}
    return parse_layout(given)


@dataclass(frozen=True)
class LaidOut:
    """One image on its way through the model, view by view. told: what its row says besides the score."""

    image: Image
    told: Decoded
    views: Sequence[View]
    assembly: Assembly

    def cut(self, model: Detector, views: Sequence[View]) -> list[NDArray[Any]]:
        """The views as the model wants them."""
        return [view_pixels(model.preprocess, self.image, view) for view in views]


def lay_out(
    upload: Upload, model: Detector, deciding: Deciding, read: Callable[[Upload], Image], *, preview: int | None
) -> LaidOut:
    """Raises ImageReadError; InputError where the image is cut into too many views, or into too large ones.

    read: gives the picture of an upload.
    """
    image = read(upload)
    area, _ = deciding.areas.of(image.size)
    _check_number(area.box[2:] if area is not None else image.size, deciding.geometry)
    views = plan_views(image.size, deciding.geometry, model.sizes, area)
    _check_views(views, model)
    shown = thumbnail_data_uri(image, preview, quality=88) if preview else None
    told = Decoded(image.width, image.height, None, shown, notes_of(image), geometry_record(views, area))
    return LaidOut(image, told, views, Assembly(image.size, views, area=area, peak=_peak(model, area)))


def _peak(model: Detector, area: Area | None) -> tuple[float, float]:
    return (0.0, 0.0) if area is None else model.peak


def _check_number(size: tuple[int, ...], geometry: Geometry) -> None:
    """Before they are planned: so many would be work by themselves."""
    if geometry.tile is None:
        return
    steps = [geometry.tile / scale * (1 - geometry.overlap) for scale in geometry.scales]
    number = sum(math.prod(max(1, math.ceil(side / step)) for side in size) for step in steps)
    if number > MOST_VIEWS:
        raise InputError(
            f"tile {geometry.tile} cuts the image into about {number:,} views, a request may have {MOST_VIEWS:,}; take "
            "larger tiles, or anomalyclip detect --tile"
        )


def _check_views(views: Sequence[View], model: Detector) -> None:
    side = model.image_size
    largest = max((math.prod(view.size) for view in views if view.size is not None), default=0)
    if len(views) > MOST_VIEWS or largest > LARGEST_VIEW * side * side:
        raise InputError(
            f"this layout takes {len(views):,} views of up to {max(largest, side * side):,} pixels, a request may have "
            f"{MOST_VIEWS:,} of {LARGEST_VIEW * side * side:,}; take larger tiles or smaller scales"
        )
