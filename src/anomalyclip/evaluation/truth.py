"""The truth about an image's pixels, at the size where it is compared; doubtful truth is refused, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.data.dataset import ANOMALOUS, Item
from anomalyclip.data.samples import same_area
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

Size = tuple[int, int]


def read_truth(
    item: Item, image_size: Size, side: int | None, *, max_pixels: int | None = None
) -> NDArray[np.bool_] | None:
    """Which pixels are anomalous, or None where nobody marked them (`item.has_mask` is False).

    Args:
        item: the image's entry; a normal one without a mask file is normal in every pixel.
        image_size: (width, height) of the upright image.
        side: compare at side x side, the mask resized as published; None: at the image's own size.
        max_pixels: larger masks are refused (None: the default of `anomalyclip.io`).

    Returns:
        bool (side, side) or (height, width).

    Raises:
        ImageReadError: the mask file cannot be read.
        InputError: the mask contradicts the image: other proportions, nothing marked although the image is anomalous,
            or something marked although it is normal.
    """
    width, height = image_size
    if not item.has_mask:
        return None
    if item.mask is None:
        return np.zeros((height, width) if side is None else (side, side), dtype=np.bool_)
    from anomalyclip.io import read_mask

    mask = read_mask(item.mask) if max_pixels is None else read_mask(item.mask, max_pixels=max_pixels)
    _check(item, mask, image_size)
    return _resized(mask, image_size, side)


def _check(item: Item, mask: NDArray[np.bool_], image_size: Size) -> None:
    (mask_height, mask_width), (width, height) = mask.shape, image_size
    name = printable(item.mask or "")
    if not same_area((mask_width, mask_height), image_size):
        raise InputError(
            f"the mask {name} has {mask_width} x {mask_height} pixels, the image {width} x {height}: they do not "
            "cover the same area; left out of the pixel metrics"
        )
    marked = bool(mask.any())
    if marked != (item.label == ANOMALOUS):
        said = "is labelled normal but pixels are marked in" if marked else "is labelled anomalous but all black is"
        raise InputError(f"the image {said} its mask {name}; left out of the pixel metrics")


def _resized(mask: NDArray[np.bool_], image_size: Size, side: int | None) -> NDArray[np.bool_]:
    if side is not None:
        from anomalyclip.data.transforms import preprocess_mask

        return np.asarray(preprocess_mask(mask, side).numpy() > 0)
    width, height = image_size
    if mask.shape == (height, width):
        return mask
    from PIL import Image

    scaled = Image.fromarray(mask.astype(np.uint8)).resize(image_size, Image.Resampling.NEAREST)
    return np.asarray(scaled) > 0
