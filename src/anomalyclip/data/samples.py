"""From an Item to what a model is fed with and compared against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.data.dataset import Item
from anomalyclip.data.masks import read_marked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def load_sample(item: Item, size: int) -> tuple[Floats, Floats | None]:
    """(pixel values (3, size, size) float32 normalised, mask as from `load_mask`). Raises ImageReadError."""
    from anomalyclip.data.transforms import preprocess
    from anomalyclip.io.images import read_image

    return preprocess(read_image(item.image), size), load_mask(item, size)


def load_mask(item: Item, size: int) -> Floats | None:
    """The truth about an item's pixels, (size, size) float32 of 0 and 1; None where it is not known.

    A normal image's is all zero. A mask of another size than its image is stretched as the image is. Raises
    ImageReadError.
    """
    from anomalyclip.data.transforms import preprocess_mask

    if not item.has_mask:
        return None
    if item.mask is None:
        return np.zeros((size, size), np.float32)
    reading = read_marked(item.mask, item.image, item.label, published=item.published)
    return preprocess_mask(reading.marked, size)
