"""Preprocessing (METHOD section 2): square resize, scale to [0, 1], the model's own normalisation; masks likewise."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.native.resize import resize_rgb, resizes

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from PIL.Image import Image

OPENAI = Preprocessing()
MEAN, STD = OPENAI.mean, OPENAI.std


def preprocess(image: Image, size: int | tuple[int, int], how: Preprocessing = OPENAI) -> NDArray[np.float32]:
    """An RGB image as CLIP wants it: float32 (3, size, size), normalised. Resized without crop or padding.

    ``size`` may also be (height, width); ``how`` is the model's own, OpenAI's where nothing else is known.
    """
    both = (size, size) if isinstance(size, int) else size
    if resizes(image, both, how.interpolation):
        return resize_rgb(image, both, how.interpolation, _levels(how))
    return normalise(resize(image, size, how), how)


@lru_cache(maxsize=8)
def _levels(how: Preprocessing) -> NDArray[np.float32]:
    """(3, 256): what the levels of each channel become."""
    return normalise(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2), how)[:, 0]


def resize(image: Image, size: int | tuple[int, int], how: Preprocessing = OPENAI) -> NDArray[np.uint8]:
    """An RGB image at ``size``, a side or (height, width): uint8 (H, W, 3), with Pillow's filter of that name."""
    from PIL.Image import Resampling

    height, width = (size, size) if isinstance(size, int) else size
    chosen = Resampling[how.interpolation.upper()]
    resized = image if image.size == (width, height) else image.resize((width, height), chosen)
    return np.array(resized, dtype=np.uint8)


def normalise(pixels: NDArray[Any], how: Preprocessing = OPENAI) -> NDArray[np.float32]:
    """uint8 RGB (..., H, W, 3) to normalised float32 (..., 3, H, W)."""
    scaled = np.moveaxis(pixels, -1, -3).astype(np.float32, order="C")
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (how.mean, how.std))
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
