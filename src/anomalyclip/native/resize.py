"""Pillow's resize and the normalisation after it in one pass (csrc/resize_u8.h), to the same numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.native.library import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_BITS = 22  # of a weight
_ROUND = 4  # pixels in the widest target's register


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic of a = -1/2."""
    a, x = -0.5, np.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _linear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)


FILTERS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bicubic": (_cubic, 2.0),
    "bilinear": (_linear, 1.0),
}
"""By Pillow's name: the filter, and how far it reaches to each side."""


class _Axis(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weights", "begin")),
        *((name, ctypes.c_int64) for name in ("size", "taps")),
    )


class _Resize(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("image", "levels", "out", "scratch")),
        *((name, ctypes.c_int64) for name in ("height", "width")),
        *((name, _Axis) for name in ("across", "down")),
    )


class Weights(NamedTuple):
    """Of each output along an axis: its weights (size, taps) of 22 bits, and where their inputs begin (size,); int32.

    four_times: each weight as often, (size, taps, 4), taps a multiple of 4, filled up with zeros.
    """

    values: NDArray[np.int32]
    begin: NDArray[np.int32]
    four_times: NDArray[np.int32]


@lru_cache(maxsize=64)
def weights(before: int, after: int, name: str) -> Weights:
    """Of an axis of ``before`` pixels that becomes one of ``after``: Pillow's, in its order of operations."""
    function, reach = FILTERS[name]
    scale = before / after
    wide = max(scale, 1.0)  # a smaller picture is blurred first: the filter grows with the step
    centre = (np.arange(after) + 0.5) * scale
    low = np.maximum((centre - reach * wide + 0.5).astype(np.int64), 0)
    high = np.minimum((centre + reach * wide + 0.5).astype(np.int64), before)
    taps = int((high - low).max())
    begin = np.minimum(low, before - taps)
    at = begin[:, None] + np.arange(taps)
    found = function((at - centre[:, None] + 0.5) * (1.0 / wide))
    found[(at < low[:, None]) | (at >= high[:, None])] = 0.0
    found = found / np.cumsum(found, axis=1)[:, -1:]  # in this order, as sums are taken one by one
    values = np.trunc(found * (1 << _BITS) + np.where(found < 0, -0.5, 0.5)).astype(np.int32)
    filled = np.pad(values, ((0, 0), (0, -taps % _ROUND)))
    return Weights(values, begin.astype(np.int32), np.repeat(filled[:, :, None], 4, axis=2))


def _kernel() -> tuple[Any, Any] | None:
    try:
        library = kernels("fp32")
        size, resize = library.ac_resize_bytes, library.ac_resize_rgb
    except (ConfigError, AttributeError):  # without it Pillow does the same
        return None
    size.restype = ctypes.c_int64
    return size, resize


def resizes(image: Image, size: tuple[int, int], name: str) -> bool:
    """Whether :func:`resize_rgb` does what Pillow does with its filter of that name, to ``size`` (h, w): of RGB that is
    no taller than wide, and made no lower than narrower. From version 13 on Pillow takes columns first for some others.
    """
    width, height = image.size
    rows_first = 0 < height <= width and height * size[1] <= width * size[0]
    return rows_first and image.mode == "RGB" and name in FILTERS and _kernel() is not None


def resize_rgb(image: Image, size: tuple[int, int], name: str, levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """An RGB image at ``size`` (h, w), and of each level its number in a table.

    Args:
        image: for which :func:`resizes` is true.
        name: of a filter.
        levels: (3, 256): what the levels of each channel become.

    Returns:
        (3, h, w).
    """
    found = _kernel()
    assert found is not None
    measure, resize = found
    pixels = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8)
    across, down = weights(image.width, size[1], name), weights(image.height, size[0], name)
    wide, levels = across.four_times, np.ascontiguousarray(levels, np.float32)
    out = np.empty((3, *size), np.float32)
    job = _Resize(
        pixels.ctypes.data, levels.ctypes.data, out.ctypes.data, None, image.height, image.width,
        _Axis(wide.ctypes.data, across.begin.ctypes.data, *wide.shape[:2]),
        _Axis(down.values.ctypes.data, down.begin.ctypes.data, *down.values.shape),
    )  # fmt: skip
    scratch = np.empty(measure(ctypes.byref(job)), np.uint8)
    job.scratch = scratch.ctypes.data
    resize(ctypes.byref(job))
    return out
