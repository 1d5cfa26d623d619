"""From an Item to what a model is fed with and compared against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.data.dataset import Item

if TYPE_CHECKING:
    from torch import Tensor


# A mask may be stored smaller than its image, and rounding then shifts the ratio of its sides a little.
RATIO_TOLERANCE = 0.02


def same_area(mask: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether a mask of (width, height) pixels can be an image's: the ratio of its sides is the same, but for rounding.

    >>> same_area((50, 33), (1000, 667)), same_area((667, 1000), (1000, 667))
    (True, False)
    """
    (mask_width, mask_height), (width, height) = mask, image
    return abs(mask_width * height - mask_height * width) <= RATIO_TOLERANCE * mask_width * height


def load_sample(item: Item, size: int) -> tuple[Tensor, Tensor | None]:
    """(pixel values (3, size, size) float32 normalised, mask as from `load_mask`). Raises ImageReadError."""
    from anomalyclip.data.transforms import preprocess
    from anomalyclip.io.images import read_image

    return preprocess(read_image(item.image), size), load_mask(item, size)


def load_mask(item: Item, size: int) -> Tensor | None:
    """The truth about an item's pixels, (size, size) float32 of 0 and 1; None where it is not known.

    A normal image's is all zero. A mask of another size than its image is stretched as the image is. Raises
    ImageReadError.
    """
    import torch

    from anomalyclip.data.transforms import preprocess_mask
    from anomalyclip.io.images import read_mask

    if not item.has_mask:
        return None
    if item.mask is None:
        return torch.zeros(size, size)
    return preprocess_mask(read_mask(item.mask), size)
