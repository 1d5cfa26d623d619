"""How pixels deeper than 8 bits become 8 bits: one documented rule, the same for every format.

CLIP sees 8-bit RGB, so 16-bit and float images must be mapped. Two wishes pull apart: scores of two images compare
only if both were mapped alike (so no stretching of each image to its own extremes), and a 12-bit camera that stores
its counts in 16 bits must not come out black (so no division by 65535 for all). The rule:

- Integers without negative values up to 65535: the depth is the smallest of 8, 10, 12, 14, 16 bits that holds the
  image's largest value, and that depth's full scale becomes 255. These are the depths that cameras deliver, hence
  all images of one camera get one mapping as long as each has some pixel in the upper three quarters of the range
  (two bits are 75 %). A set of darker exposures is best saved at 8 bits.
- Floats within [0, 1]: 1 becomes 255.
- Anything else (negative or larger values): the finite minimum becomes 0 and the finite maximum 255, since nothing
  in the file tells its scale. Such scores are comparable only between images of the same range.

NaN becomes 0, infinities become the nearer end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Raster:
    """Pixels as stored in a file that the 8-bit path cannot hold.

    values: (H, W) grey or (H, W, 3) RGB, any integer or float dtype. alpha: None or (H, W) of the same dtype, with the
    dtype's full scale opaque (1.0 for floats). white_is_zero: small values are bright.
    """

    values: Array
    alpha: Array | None = None
    white_is_zero: bool = False


def full_scale(values: Array) -> tuple[float, float]:
    """The (black, white) pair of stored values by this module's rule; black < white.

    >>> full_scale(np.array([[3, 3000]], dtype=np.uint16))
    (0.0, 4095.0)
    >>> full_scale(np.array([[0.2, 0.9]]))
    (0.0, 1.0)
    >>> full_scale(np.array([[-2.0, 6.0, np.nan]]))
    (-2.0, 6.0)
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if values.dtype.kind == "f":
        if low >= 0 and high <= 1:
            return 0.0, 1.0
    elif low >= 0 and high <= 65535:
        bits = next(bits for bits in _DEPTHS if high < 2**bits)
        return 0.0, float(2**bits - 1)
    return (low, high) if high > low else (low, low + 1.0)


def to_uint8(values: Array) -> npt.NDArray[np.uint8]:
    """Any integer or float array to uint8 of the same shape, rounded to the nearest level, by this module's rule."""
    if values.dtype == np.uint8:
        return values
    black, white = full_scale(values)
    if values.dtype == np.uint16:
        # A table of 65,536 levels: exact, fast, and without a float copy of a large image.
        levels = np.arange(65536, dtype=np.float64)
        return _scaled(levels, black, white)[values]
    out = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), 256):  # in strips, for the same reason
        out[row : row + 256] = _scaled(values[row : row + 256], black, white)
    return out


def _scaled(values: Array, black: float, white: float) -> npt.NDArray[np.uint8]:
    with np.errstate(all="ignore"):  # a range wider or narrower than float64 tells apart
        unit = (np.clip(values.astype(np.float64), black, white) - black) / (white - black)
    unit = np.where(values == np.inf, 1.0, np.nan_to_num(unit, nan=0.0))
    return np.floor(unit * 255 + 0.5).astype(np.uint8)


def opacity(alpha: Array) -> Array:
    """Alpha as stored -> float32 in [0, 1]; integers by their dtype's full scale, as PNG and TIFF define it."""
    top = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
    unit: Array = np.clip(np.nan_to_num(alpha.astype(np.float32) / top), 0, 1)
    return unit


def positive(raster: Raster) -> npt.NDArray[np.bool_]:
    """Where a raster is a mask's foreground: (H, W) bool, any visible channel above black."""
    values = raster.values
    if raster.white_is_zero:
        on = values < (np.iinfo(values.dtype).max if values.dtype.kind == "u" else full_scale(values)[1])
    else:
        on = values > 0  # False for NaN
    seen: npt.NDArray[np.bool_] = np.any(on, axis=-1) if on.ndim == 3 else on
    return seen if raster.alpha is None else seen & (raster.alpha > 0)
