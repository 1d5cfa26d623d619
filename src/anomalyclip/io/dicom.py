"""DICOM files: the pixels as a viewer would show them first (rescaled, windowed, MONOCHROME1 turned round).

The order of the steps follows DICOM PS3.3 C.7.6.3.1.2 and C.11: decode, modality (LUT or rescale slope and intercept),
values of interest (LUT or window), then the photometric interpretation. Without a window the rule of `depth` applies.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from anomalyclip.io.depth import Array, Raster, Stated
from anomalyclip.io.limits import check_pixels
from anomalyclip.io.refusal import Refusal, truncated

_DEFLATED = "1.2.840.10008.1.2.1.99"
_INSTALL = 'install it with: pip install "anomalyclip[dicom]"'
_DECODERS = (
    "install decoders with: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, "
    "or decompress the file (dcmdjpeg, or gdcmconv --raw)"
)


def read_dicom(file: BinaryIO, max_pixels: int) -> Any:
    """Parse a DICOM file and check its declared size; nothing is decoded. Returns a pydicom Dataset."""
    try:
        import pydicom
        from pydicom.filereader import _read_file_meta_info, read_preamble
    except ImportError:
        raise Refusal("it is a DICOM file and the package pydicom is missing", _INSTALL) from None
    read_preamble(file, force=False)
    if str(_read_file_meta_info(file).get("TransferSyntaxUID", "")) == _DEFLATED:
        # Reading it would inflate the whole file without a bound.
        raise Refusal("it is a deflated DICOM file", "save it uncompressed (dcmconv --write-xfer-little)")
    file.seek(0)
    data = pydicom.dcmread(file)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise Refusal("it is a DICOM file without pixels (a report or a structure?)", "give an image object")
    if data.get("SamplesPerPixel", 1) not in (1, 3):
        raise Refusal(f"it has {data.SamplesPerPixel} samples per pixel, expected 1 or 3", "convert it to grey or RGB")
    check_pixels(int(data.Columns), int(data.Rows), max_pixels)
    return data


def count(file: BinaryIO, max_pixels: int) -> int:
    """Frames of a DICOM file."""
    number = read_dicom(file, max_pixels).get("NumberOfFrames") or 1
    file.seek(0)
    return int(number)


def read(file: BinaryIO, index: int, max_pixels: int, *, windowed: bool) -> Raster:
    """Frame `index` as a viewer shows it, or (not `windowed`) as it is stored."""
    data = read_dicom(file, max_pixels)
    return shown_pixels(data, index) if windowed else Raster(stored_pixels(data, index))


def stored_pixels(data: Any, index: int) -> Array:
    """One frame, decoded: (rows, columns) or (rows, columns, 3) RGB, at the stored depth."""
    from pydicom.pixels.utils import pixel_array

    try:
        pixels: Array = pixel_array(data, index=index)
    except (NotImplementedError, RuntimeError) as error:  # no plugin for the transfer syntax
        syntax = getattr(data.file_meta.get("TransferSyntaxUID"), "name", "unknown")
        raise Refusal(f"its compression ({syntax}) cannot be decoded here", _DECODERS) from error
    except ValueError as error:
        if "less than expected" in str(error):
            raise truncated() from error
        raise
    return pixels


def shown_pixels(data: Any, index: int) -> Raster:
    """One frame as a viewer shows it: a raster of integers, or of floats in [0, 1] once a window applied."""
    kind = str(data.PhotometricInterpretation)
    pixels = stored_pixels(data, index)
    if kind == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        return Raster(apply_color_lut(pixels, data)[..., :3])
    if pixels.ndim == 3:
        return Raster(pixels)
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise Refusal(f"its photometric interpretation is {kind}", "convert it to MONOCHROME2 or RGB")
    values = _grey(pixels, data)
    return Raster(values, white_is_zero=kind == "MONOCHROME1", stated=_stated(data, values))


def _grey(pixels: Array, data: Any) -> Array:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    values: Array = apply_modality_lut(pixels, data)
    if values.dtype.kind == "f" and np.array_equal(values, np.rint(values)):
        values = values.astype(np.int64)  # a rescale of whole numbers stays whole: tables and depths need integers
    if data.get("VOILUTSequence"):
        shown: Array = apply_voi(values, data)
        return shown / float(2 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    if "WindowCenter" in data and "WindowWidth" in data:
        function = str(data.get("VOILUTFunction", "LINEAR")).upper()
        return window(values, _number(data.WindowCenter), _number(data.WindowWidth), function)
    return values


def _stated(data: Any, values: Array) -> Stated | None:
    """The scale of values that no window has mapped: all that BitsStored can hold, rescaled."""
    bits = int(data.get("BitsStored") or data.BitsAllocated)
    if values.dtype.kind not in "iu" or data.PixelRepresentation or data.get("ModalityLUTSequence"):
        return None
    slope, intercept = float(data.get("RescaleSlope") or 1), float(data.get("RescaleIntercept") or 0)
    return Stated(intercept, intercept + slope * (2**bits - 1), f"BitsStored {bits}") if slope > 0 else None


def _number(value: Any) -> float:
    """The first of a multi-valued window: alternatives are listed in order of preference."""
    return float(value if isinstance(value, (int, float)) else value[0])


def window(values: Array, centre: float, width: float, function: str) -> Array:
    """Map stored units to [0, 1] float64 by a window (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

    >>> window(np.array([0, 50, 100]), centre=50, width=100, function="LINEAR_EXACT")
    array([0. , 0.5, 1. ])
    """
    x = values.astype(np.float64)
    if not width >= (1 if function == "LINEAR" else 1e-12):
        raise Refusal(f"its window width is {width}", "correct WindowWidth, or remove the window")
    if function == "SIGMOID":
        shown: Array = 1 / (1 + np.exp(np.clip(-4 * (x - centre) / width, -700, 700)))
    elif function == "LINEAR_EXACT":
        shown = np.clip((x - centre) / width + 0.5, 0, 1)
    elif function == "LINEAR":
        # The width counts grey levels, so the slope spans width - 1; a width of 1 is a threshold.
        shown = np.clip((x - (centre - 0.5)) / max(width - 1, 1e-12) + 0.5, 0, 1)
    else:
        raise Refusal(f"its VOI LUT function is {function}", "expected LINEAR, LINEAR_EXACT or SIGMOID")
    return shown
