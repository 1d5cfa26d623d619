"""Preprocessing (METHOD section 2): square bicubic resize, scale to [0, 1], CLIP's normalisation; masks likewise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from PIL.Image import Image

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def preprocess(image: Image, size: int | tuple[int, int]) -> NDArray[np.float32]:
    """An RGB image as CLIP wants it: float32 (3, size, size), normalised. Resized without crop or padding.

    ``size`` may also be (height, width).
    """
    return normalise(resize(image, size))


def resize(image: Image, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """An RGB image at ``size``, a side or (height, width): uint8 (H, W, 3), PIL's bicubic filter."""
    from PIL.Image import Resampling

    height, width = (size, size) if isinstance(size, int) else size
    resized = image if image.size == (width, height) else image.resize((width, height), Resampling.BICUBIC)
    return np.array(resized, dtype=np.uint8)


def normalise(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """uint8 RGB (..., H, W, 3) to normalised float32 (..., 3, H, W)."""
    scaled = np.moveaxis(pixels, -1, -3).astype(np.float32, order="C")
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    scaled /= np.float32(255)
    scaled -= mean
    scaled /= std
    return scaled


def preprocess_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """A boolean mask (H, W) as float32 0/1 (size, size): bilinear resize of the binary mask, threshold at 0.5."""
    from PIL import Image

    grey = Image.fromarray(np.asarray(mask, dtype=np.uint8) * 255)
    resized = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32) / 255
    return (resized > 0.5).astype(np.float32)
