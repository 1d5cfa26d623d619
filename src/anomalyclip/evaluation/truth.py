"""The truth about an image's pixels, at the size where it is compared; doubtful truth is refused, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.data.dataset import Item
from anomalyclip.data.doubts import DOUBTFUL
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.geometry import Area

Size = tuple[int, int]


def read_truth(
    item: Item, image_size: Size, side: int | None, *, max_pixels: int | None = None
) -> tuple[NDArray[np.bool_] | None, str | None]:
    """(which pixels are anomalous, what is doubtful about that).

    The pixels are None where nobody marked them (`item.has_mask` is False). Doubts that do not keep the mask from
    being used (it marks more than half, its edges are soft) are one line.

    Args:
        item: the image's entry; a normal one without a mask file is normal in every pixel.
        image_size: (width, height) of the upright image.
        side: compare at side x side, the mask resized as published; None: at the image's own size.
        max_pixels: larger masks are refused (None: the default of `anomalyclip.io`).

    Returns:
        bool (side, side) or (height, width), and the line or None.

    Raises:
        ImageReadError: the mask cannot be read.
        InputError: the mask contradicts the image: other proportions, nothing marked although the image is anomalous,
            something marked although it is normal, or EXIF turns the picture and nothing tells whether the mask.
    """
    width, height = image_size
    if not item.has_mask:
        return None, None
    if item.mask is None:
        return np.zeros((height, width) if side is None else (side, side), dtype=np.bool_), None
    reading = read_marked(item.mask, item.image, item.label, published=item.published, max_pixels=max_pixels)
    if not reading.usable:
        told = "; ".join(str(finding) for finding in reading.findings if finding.doubt.spoils)
        raise InputError(f"{told}; left out of the pixel metrics")
    doubts = [str(finding) for finding in reading.findings if finding.doubt in DOUBTFUL]
    return _resized(reading.marked, image_size, side), "; ".join(doubts) or None


def _resized(mask: NDArray[np.bool_], image_size: Size, side: int | None) -> NDArray[np.bool_]:
    if side is not None:
        from anomalyclip.data.transforms import preprocess_mask

        return np.asarray(preprocess_mask(mask, side) > 0)
    width, height = image_size
    if mask.shape == (height, width):
        return mask
    from PIL import Image

    scaled = Image.fromarray(mask.astype(np.uint8)).resize(image_size, Image.Resampling.NEAREST)
    return np.asarray(scaled) > 0


def counted_pixels(area: Area | None, truth: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Which pixels of a mask count: those inside the region of interest that are not ignored; None is all."""
    import cv2

    if area is None:
        return None
    shape = truth.shape[::-1]
    return cv2.resize(area.mask().astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST) > 0
