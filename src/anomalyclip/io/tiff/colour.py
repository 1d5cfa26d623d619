"""Samples of a TIFF page to a raster: grey or RGB with its alpha, by the photometric interpretation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from anomalyclip.io import ifd as tags
from anomalyclip.io import lab
from anomalyclip.io.depth import Raster, Stated
from anomalyclip.io.ifd import Directory
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal
from anomalyclip.io.tiff import layout as kinds
from anomalyclip.io.tiff.layout import Layout

if TYPE_CHECKING:
    from PIL import Image

_BAND = 256
_REC601 = (0.299, 0.587, 0.114)


def to_raster(samples: npt.NDArray[Any], file: BinaryIO, page: Directory, layout: Layout) -> Raster:
    """(H, W, samples) as `read_samples` gives them -> the page's raster; its notes come along. Raises `Refusal`."""
    alpha = None if layout.alpha is None else np.ascontiguousarray(samples[..., layout.alpha])
    stated, white_is_zero = layout.stated, False
    if layout.photometric == kinds.RGB:
        values = np.ascontiguousarray(samples[..., :3])
    elif layout.photometric == kinds.PALETTE:
        values = _palette(file, page, layout.bits)[samples[..., 0]]
    elif layout.photometric == kinds.CMYK:
        values = _from_cmyk(samples, file, page)
    elif layout.photometric == kinds.YCBCR:
        values = samples if layout.compression == kinds.JPEG else _from_ycbcr(samples, file, page)
    elif layout.photometric in kinds.LAB:
        values = _from_lab(samples.view(np.uint8), file, page, signed=layout.photometric == kinds.CIE_LAB)
    else:
        values = samples[..., 0]
        white_is_zero = layout.photometric == kinds.GREY_INVERTED
        if layout.bits < 8 and layout.kind == "u":  # levels of 1 to 7 bits end at 255, exactly as elsewhere
            values, stated = _widened(values, layout.bits), None
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    values, notes = _blackened(values, layout, stated, white_is_zero=white_is_zero)
    top = _alpha_top(layout)
    return Raster(values, alpha, white_is_zero, layout.premultiplied, stated, top, notes, layout.display)


def _blackened(
    values: npt.NDArray[Any], layout: Layout, stated: Stated | None, *, white_is_zero: bool
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Pixels without a reading at their darkest, and no part of the scale; the notes, with how many there are."""
    mark = layout.without_reading
    if (
        mark is None or mark == 0 or white_is_zero or values.dtype == np.uint8
    ):  # in 8 bits everybody shows them as they are
        return values, layout.notes
    # A float32 file says -3.4028234663852886e+38 in as many digits as its program likes.
    found = values == (values.dtype.type(mark) if values.dtype.kind == "f" else mark)
    found = found if found.ndim == 2 else found.all(axis=-1)
    if not (number := int(found.sum())):
        return values, layout.notes
    values = values.copy()
    values[found] = np.nan if values.dtype.kind == "f" else 0 if stated is None else values.dtype.type(stated.black)
    note = f"{number:,} of its pixels hold no reading (GDAL_NODATA {mark:g}): shown as black"
    return values, (*layout.notes, note)


def _alpha_top(layout: Layout) -> float | None:
    return float(2**layout.bits - 1) if layout.kind == "u" else None


def _widened(values: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    top = 2**bits - 1
    table = (np.arange(256) % (top + 1) * 255 + top // 2) // top
    levels: npt.NDArray[np.uint8] = table.astype(np.uint8)[values]
    return levels


def _palette(file: BinaryIO, page: Directory, bits: int) -> npt.NDArray[np.uint8]:
    """(2**bits, 3) colours of 8 bits."""
    length = 3 << bits
    entries = page.values(file, tags.COLOUR_MAP, length)
    if len(entries) != length:
        raise Refusal(f"its palette has {len(entries)} of {length} values", EXPORT_AGAIN)
    # Of 16 bits by the standard; some writers left them at 8.
    table = entries >> 8 if entries.max() > 255 else entries
    return np.ascontiguousarray(table.reshape(3, -1).T.astype(np.uint8))


def _from_cmyk(samples: npt.NDArray[Any], file: BinaryIO, page: Directory) -> npt.NDArray[np.uint8]:
    """Inks to RGB without a profile: what each ink and black leave of the paper's white."""
    if page.integer(file, tags.INK_SET, 1) != 1:
        raise Refusal("its TIFF inks are not cyan, magenta, yellow and black", "save it as RGB")
    top = np.float32(np.iinfo(samples.dtype).max)
    out = np.empty((*samples.shape[:2], 3), np.uint8)
    for start in range(0, len(samples), _BAND):
        left = 1 - samples[start : start + _BAND, :, :4].astype(np.float32) / top
        out[start : start + _BAND] = np.floor(left[..., :3] * left[..., 3:] * 255 + 0.5)
    return out


def _from_ycbcr(samples: npt.NDArray[np.uint8], file: BinaryIO, page: Directory) -> npt.NDArray[np.uint8]:
    """YCbCr of 8 bits to RGB by the coefficients and reference levels of the directory (TIFF 6.0, section 21)."""
    red, green, blue = _rationals(page, file, tags.YCBCR_COEFFICIENTS, _REC601)
    levels = _rationals(page, file, tags.REFERENCE_BLACK_WHITE, (0, 255, 128, 255, 128, 255))
    black, white = np.array(levels[0::2], np.float32), np.array(levels[1::2], np.float32)
    if not (green > 0 and (white != black).all()):
        raise Refusal("its YCbCr coefficients or reference levels are impossible", EXPORT_AGAIN)
    span = np.array([255, 127, 127], np.float32) / (white - black)
    out = np.empty_like(samples)
    for start in range(0, len(samples), _BAND):
        luma, cb, cr = np.moveaxis((samples[start : start + _BAND] - black) * span, -1, 0)
        r = luma + cr * (2 - 2 * red)
        b = luma + cb * (2 - 2 * blue)
        g = (luma - red * r - blue * b) / green
        out[start : start + _BAND] = np.clip(np.floor(np.dstack([r, g, b]) + 0.5), 0, 255)
    return out


def _from_lab(
    samples: npt.NDArray[np.uint8], file: BinaryIO, page: Directory, *, signed: bool
) -> npt.NDArray[np.uint8]:
    """Lightness and a, b to sRGB, from the white that the directory names; signed: CIE's a and b, else ICC's."""
    x, y = _rationals(page, file, tags.WHITE_POINT, lab.D50)
    if not (x > 0 and y > 0 and x + y < 1):
        raise Refusal("its white point is impossible", EXPORT_AGAIN)
    return lab.to_srgb(samples ^ np.array([0, 0x80, 0x80], np.uint8) if signed else samples, (x, y))


def lab_to_rgb(image: Image.Image) -> Image.Image:
    """A PIL image of Lab colours as sRGB."""
    from PIL import Image

    return Image.fromarray(lab.to_srgb(np.dstack([np.asarray(plane) for plane in image.split()])))


def _rationals(page: Directory, file: BinaryIO, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    values = page.values(file, tag, len(default))
    if values.shape != (len(default), 2) or not values[:, 1].all():
        return default
    return tuple(float(top) / float(bottom) for top, bottom in values)
