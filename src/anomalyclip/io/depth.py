"""How pixels deeper than 8 bits become 8 bits: one documented rule, the same for every format.

CLIP sees 8-bit RGB, so 10- to 64-bit and float images must be mapped. Scores of two images compare only if both were
mapped alike, so the brightest pixel of a picture never decides where the file says more. In this order:

1. The file's word (`Stated`): BitsStored of DICOM, sBIT of PNG, the maximum of PNM, bits per sample that are no whole
   bytes (10, 12, 14), SMinSampleValue and SMaxSampleValue of TIFF.
2. The caller's word: `full_scale`, the stored values of white, or of black and white, for all files that state nothing.
3. A convention, the same for every picture: unsigned integers of 16 bits and more end at 65535, signed ones of 16 bits
   at 32767. Where that leaves the picture dark, a note says so and names the remedy.
4. A guess by fixed steps, always told in a note: floats end at the first of 1, 255 and 65535 that they do not pass
   twofold (resampling overshoots a little), and pictures of one run that end at different ones are refused
   (`anomalyclip.io.reading.Reading.agreed`). What fits none of them, or is negative, has only its own range
   (`Scale.own`): two pictures stretched so do not compare, so the reader refuses them and names the remedy.

NaN becomes 0, infinities become the nearer end, and so do values beyond the ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from anomalyclip.io.full_scale import FullScale

Array = npt.NDArray[Any]

_CONVENTION = {"uint8": 255.0, "int8": 127.0, "int16": 32767.0}
_CONVENTION |= dict.fromkeys(("uint16", "uint32", "uint64", "int32", "int64"), 65535.0)
_GUESSES = (1.0, 255.0, 65535.0)
_TAKEN = " taken as white"
_BAND = 1 << 20  # samples that are mapped at a time: floats of a whole large image would be copies of gigabytes
_BLACK = 1 / 32  # a picture that keeps to the lowest eight levels of its stated scale is told
_NARROW = 1 / 8  # of a scale that begins below zero: half of it is mostly not used
_SHALLOW = 1 / 4  # a picture that leaves two bits of its convention unused is told
_UNDERSHOOT = 0.05  # negative values that resampling makes, as a share of the largest value


class Stated(NamedTuple):
    """What the file says about its scale: the stored values of black and white, and which field says so."""

    black: float
    white: float
    field: str


class Scale(NamedTuple):
    """The stored values that become 0 and 255, and a note for the row where that is not the file's word.

    own: nothing but this picture's own smallest and largest value says so.
    """

    black: float
    white: float
    note: str | None = None
    own: bool = False


@dataclass
class Raster:
    """Pixels as stored in a file that the 8-bit path cannot hold.

    values: (H, W) grey or (H, W, 3) RGB, any integer or float dtype. alpha: None or (H, W), opaque at `alpha_top`
    (None: its dtype's full scale, 1.0 for floats). white_is_zero: small values are bright. premultiplied: the colours
    were multiplied by alpha (TIFF's associated alpha). stated: the file's own scale. display: (black, white) as the
    program that wrote it showed it last, which is no scale.
    """

    values: Array
    alpha: Array | None = None
    white_is_zero: bool = False
    premultiplied: bool = False
    stated: Stated | None = None
    alpha_top: float | None = None
    notes: tuple[str, ...] = ()
    display: tuple[float, float] | None = None


def scale_of(values: Array, stated: Stated | None = None, full_scale: FullScale | None = None) -> Scale:
    """Which stored values become black and white, by this module's rule; black < white.

    Args:
        values: stored values, any integer or float dtype.
        stated: the file's word.
        full_scale: the caller's word: white, above 0, or (black, white).

    >>> scale_of(np.array([[3, 3000]], dtype=np.uint16), Stated(0, 4095, "BitsPerSample 12"))
    Scale(black=0, white=4095, note=None, own=False)
    >>> scale_of(np.array([[0.2, 230.0]])).white
    255.0
    >>> scale_of(np.array([[-2.0, 6.0, np.nan]]))
    Scale(black=-2.0, white=6.0, note='its values from -2 to 6 state no scale', own=True)
    """
    if stated is not None:
        low, high = finite_range(values) if values.dtype.itemsize > 1 else (None, None)
        if high is None or stated.black < high <= stated.black + (stated.white - stated.black) * _BLACK:
            return Scale(stated.black, stated.white, _nearly_black(high, stated))
        if high <= stated.white:
            return Scale(stated.black, stated.white, _nearly_one_grey(low, high, stated))
        note = f"its values reach {high:g}, beyond the {stated.white:g} of {stated.field}: shown as white"
        return Scale(stated.black, stated.white, note)
    if values.dtype == np.uint8:
        return Scale(0.0, 255.0)
    if full_scale is not None:
        black, white = full_scale if isinstance(full_scale, tuple) else (0.0, float(full_scale))
        start = f"from {black:g} " if black else ""
        return Scale(black, white, f"stored values {start}up to {white:g} shown, as full_scale says")
    low, high = finite_range(values)
    if low is None or high is None:
        return Scale(0.0, 1.0, "it holds no finite value")
    convention = _CONVENTION.get(values.dtype.name)
    if convention is not None and low >= 0 and high <= convention:
        return Scale(0.0, convention, _dark(high, convention) if high <= convention * _SHALLOW else None)
    return _guessed(low, high) if values.dtype.kind == "f" else _own(low, high)


def _nearly_black(high: float | None, stated: Stated) -> str | None:
    if high is None:
        return None
    return f"its values end at {high:g} of the {stated.white:g} of {stated.field}: nearly all black"


def _nearly_one_grey(low: float | None, high: float, stated: Stated) -> str | None:
    few = _NARROW if stated.black < 0 else _BLACK
    if low is None or low < stated.black or not 0 < high - low <= (stated.white - stated.black) * few:
        return None
    return (
        f"its values from {low:g} to {high:g} span little of the {stated.black:g} to {stated.white:g} of "
        f"{stated.field}: nearly one grey; let the file state its own range (DICOM: WindowCenter, WindowWidth)"
    )


def _dark(high: float, convention: float) -> str | None:
    if high == 0:
        return None
    return (
        f"its values end at {high:g} of {convention:g} and it states no depth: shown at the full {convention:g}, "
        "which is dark; if its camera has fewer bits, say so (--full-scale 4095 for 12 bits, full_scale in Python)"
    )


def _guessed(low: float, high: float) -> Scale:
    if low == high == 0:  # which says nothing of the scale of the pictures beside it
        return Scale(0.0, 1.0, "its floats are all 0: black in any scale")
    if low >= -_UNDERSHOOT * high:
        for white in _GUESSES:
            if high < 2 * white:
                return Scale(0.0, white, f"its floats from {low:g} to {high:g} state no scale: {white:g}{_TAKEN}")
    return _own(low, high)


def guessed_white(notes: Iterable[str]) -> float | None:
    """The step that a picture's floats were found to end at, out of its notes; None where nothing was guessed.

    >>> guessed_white([_guessed(0.0, 240.0).note or ""])
    255.0
    """
    found = [note.removesuffix(_TAKEN).rpartition(" ")[2] for note in notes if note.endswith(_TAKEN)]
    return float(found[0]) if found else None


def _own(low: float, high: float) -> Scale:
    note = f"its values from {low:g} to {high:g} state no scale"
    return Scale(low, high if high > low else low + max(1.0, abs(low)), note, own=True)


def finite_range(values: Array) -> tuple[float | None, float | None]:
    """The smallest and largest finite value, or (None, None); in bands, without a copy of the image."""
    low, high = np.inf, -np.inf
    for rows in _bands(values):
        band = values[rows]
        if band.dtype.kind == "f":
            band = band[np.isfinite(band)]
        if band.size:
            low, high = min(low, float(band.min())), max(high, float(band.max()))
    return (low, high) if low <= high else (None, None)


def _bands(values: Array) -> Iterator[slice]:
    """Slices of rows that hold about `_BAND` samples each."""
    rows = max(1, _BAND // max(1, values[0].size)) if len(values) else 1
    return (slice(start, start + rows) for start in range(0, len(values), rows))


def to_uint8(values: Array, scale: Scale | None = None) -> npt.NDArray[np.uint8]:
    """Any integer or float array to uint8 of the same shape, rounded to the nearest level, by this module's rule."""
    scale = scale or scale_of(values)
    if values.dtype == np.uint8 and (scale.black, scale.white) == (0, 255):
        return values
    if values.dtype in (np.uint8, np.uint16):
        # A table of all levels: exact, fast, and without a float copy of a large image.
        levels = np.arange(1 << 8 * values.dtype.itemsize, dtype=np.float64)
        return _scaled(levels, scale)[values]
    out = np.empty(values.shape, np.uint8)
    for rows in _bands(values):
        out[rows] = _scaled(values[rows], scale)
    return out


def _scaled(values: Array, scale: Scale) -> npt.NDArray[np.uint8]:
    with np.errstate(all="ignore"):  # a range wider or narrower than float64 tells apart
        unit = (np.clip(values.astype(np.float64), scale.black, scale.white) - scale.black) / (
            scale.white - scale.black
        )
    unit = np.where(values == np.inf, 1.0, np.nan_to_num(unit, nan=0.0))
    return np.floor(unit * 255 + 0.5).astype(np.uint8)


def opacity(alpha: Array, top: float | None = None) -> Array:
    """Alpha as stored -> float32 in [0, 1]; integers by their dtype's full scale, as PNG and TIFF define it."""
    if top is None:
        top = float(np.iinfo(alpha.dtype).max) if alpha.dtype.kind in "iu" else 1.0
    unit: Array = np.clip(np.nan_to_num(alpha.astype(np.float32) / top), 0, 1)
    return unit


def over_white(levels: npt.NDArray[np.uint8], raster: Raster) -> npt.NDArray[np.uint8]:
    """Lay 8-bit `levels` (H, W[, 3]) of a raster with alpha over white, as a browser shows it; in bands, in place."""
    if raster.alpha is None:
        return levels
    if not levels.flags.writeable or levels is raster.values:
        levels = levels.copy()
    for rows in _bands(levels):
        part = opacity(raster.alpha[rows], raster.alpha_top)
        part = part[..., None] if levels.ndim == 3 else part
        colour = levels[rows].astype(np.float32)
        shown = (colour if raster.premultiplied else colour * part) + 255 * (1 - part)
        levels[rows] = np.floor(np.minimum(shown, 255) + 0.5)
    return levels


def positive(raster: Raster) -> npt.NDArray[np.bool_]:
    """Where a raster is a mask's foreground: (H, W) bool, any visible channel above black."""
    values = raster.values
    on = values < _top(raster) if raster.white_is_zero else values > 0  # False for NaN
    seen: npt.NDArray[np.bool_] = np.any(on, axis=-1) if on.ndim == 3 else on
    return seen if raster.alpha is None else seen & (raster.alpha > 0)


def _top(raster: Raster) -> float:
    if raster.stated is not None:
        return raster.stated.white
    if raster.values.dtype.kind == "u":
        return float(np.iinfo(raster.values.dtype).max)
    return scale_of(raster.values).white
