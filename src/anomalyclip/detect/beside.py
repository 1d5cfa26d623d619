"""Suspicious patches beside the good ones that they were compared with, cut out for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anomalyclip.detect.result import Pair
from anomalyclip.errors import ImageReadError

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.detect.stages import Finished

PAIRS = 3
"""Regions of an image that are shown so."""

_PATCHES = 5  # sides of a patch that a picture shows
_SIDE = 120  # pixels
_MOST_PIXELS = 2**20  # of a thumbnail: far beyond what a memory holds


def pairs_of(finished: Finished, good: Sequence[bytes]) -> tuple[Pair, ...]:
    """The strongest regions that were compared with something. good: JPEGs by number; one that is none is left out."""
    found = []
    for region in finished.result.regions:
        nearest: Mapping[str, Any] | None = region.get("nearest")
        shown = None if nearest is None else _opened(good, nearest["number"])
        if nearest is None or shown is None:
            continue
        size = (finished.result.width or 1, finished.result.height or 1)
        own = _cut(finished.thumbnail, size, nearest["patch"])
        words = f"peak {region['peak']:.3f}; nearest in {nearest['picture']}, distance {nearest['distance']:.3f}"
        found.append(Pair(own, _cut(shown, nearest["size"], nearest["box"]), words))
        if len(found) == PAIRS:
            break
    return tuple(found)


def _opened(good: Sequence[bytes], number: int) -> Image | None:
    from anomalyclip.io import read_image_bytes

    if number >= len(good):
        return None
    try:
        return read_image_bytes(good[number], max_pixels=_MOST_PIXELS)
    except ImageReadError:  # a memory of somebody else's making
        return None


def _cut(image: Image, size: Sequence[int], box: Sequence[int]) -> str:
    """The surroundings of a box, given in pixels of the picture of `size` that `image` shows small, with a frame."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    from anomalyclip.io import thumbnail_data_uri

    x, y, width, height = box
    side = min(_PATCHES * max(width, height), max(size))
    left = max(0.0, min(size[0] - side, x + width / 2 - side / 2))
    top = max(0.0, min(size[1] - side, y + height / 2 - side / 2))
    across, down = image.width / size[0], image.height / size[1]
    part = (left * across, top * down, (left + side) * across, (top + side) * down)
    cut = image.transform((_SIDE, _SIDE), Pictures.Transform.EXTENT, part, Pictures.Resampling.BICUBIC)
    scale = _SIDE / side
    frame = ((x - left) * scale, (y - top) * scale, (x + width - left) * scale, (y + height - top) * scale)
    ImageDraw.Draw(cut).rectangle(frame, outline=(255, 140, 60), width=2)
    return thumbnail_data_uri(cut, _SIDE)
