"""DICOM files: every frame as a viewer would show it first (rescaled, windowed, MONOCHROME1 turned round).

The order of the steps follows DICOM PS3.3 C.7.6.3.1.2 and C.11: decode, modality (LUT or rescale slope and intercept),
values of interest (LUT or the first window), then the photometric interpretation. Attributes count wherever they stand:
in the frame's own functional groups, in the shared ones, at the top; one that is there and empty is absent. Without a
window black and white are what the file says its pixels can hold: BitsStored, or the largest and smallest value of the
series. Padding is black, and takes no part.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from anomalyclip.io import dicom_tables
from anomalyclip.io.depth import Array, Raster, Stated
from anomalyclip.io.dicom_pixels import Format, check_frames, format_of, read_frame
from anomalyclip.io.dicom_structure import DicomFile, parse, value, whole
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

# Attribute -> the sequence that holds it within a functional group.
_GROUPS = {
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "ModalityLUTSequence": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
    "VOILUTSequence": "FrameVOILUTSequence",
}
_PALETTE = [
    f"{prefix}{colour}PaletteColorLookupTable{part}"
    for colour in dicom_tables.COLOURS
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
_TOP = (
    "PixelPaddingValue", "PixelPaddingRangeLimit", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "PresentationLUTShape", "PresentationLUTSequence",
)  # fmt: skip
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def inspected(file: BinaryIO, max_pixels: int) -> Format:
    """What the tags say, once it is known to be there; nothing is decoded. Rewinds the file. Raises `Refusal`."""
    try:
        parsed = parse(file)
        form = format_of(parsed, max_pixels)
        check_frames(file, parsed, form)
    finally:
        file.seek(0)
    return form


def read(file: BinaryIO, index: int, max_pixels: int, *, windowed: bool) -> Raster:
    """Frame `index` as a viewer shows it, or (not `windowed`) as it is stored. Raises `Refusal`."""
    parsed = parse(file)
    if windowed and str(value(parsed.data, "SOPClassUID", "")) in _SEGMENTATIONS:
        raise Refusal("it is a DICOM segmentation, the marks of other pictures", "give it as a mask, or leave it out")
    form = format_of(parsed, max_pixels)
    pixels = read_frame(file, parsed, form, index)
    return _shown(pixels, form, frame_attributes(parsed, index)) if windowed else Raster(pixels)


def frame_attributes(parsed: DicomFile, index: int) -> Any:
    """What decides how frame `index` is shown, as one flat pydicom Dataset, as a classic file has it; nothing empty."""
    from pydicom.dataset import Dataset

    flat = Dataset()
    flat.set_original_encoding(is_implicit_vr=False, is_little_endian=parsed.little)
    places = [parsed.data, *(group for group in _groups(parsed.data, index) if group is not None)]
    for keyword in (*_GROUPS, *_PALETTE, *_TOP):
        for place in places:  # the later, the more specific
            holders = [place] if place is parsed.data else value(place, _GROUPS.get(keyword, ""), [])
            for holder in list(holders)[:1]:
                if value(holder, keyword) is not None:
                    flat[keyword] = holder[keyword]
    flat.PixelRepresentation = whole(parsed.data, "PixelRepresentation", 0)
    return flat


def _is_little(told: Any) -> bool:
    """In which order the words of tables lie in the file: least significant byte first, or last."""
    return told.original_encoding[1] is not False


def _groups(data: Any, index: int) -> list[Any]:
    """The functional groups of all frames, then those of one."""
    shared = value(data, "SharedFunctionalGroupsSequence", [])
    own = value(data, "PerFrameFunctionalGroupsSequence", [])
    if len(own) and len(own) <= index:
        raise Refusal(f"its functional groups describe {len(own):,} frames only", EXPORT_AGAIN)
    return [*list(shared)[:1], *([own[index]] if len(own) else [])]


def _shown(pixels: Array, form: Format, told: Any) -> Raster:
    """A raster with its scale."""
    if form.photometric == "PALETTE COLOR":
        shown, scale = dicom_tables.coloured(pixels, told, little=_is_little(told))
        return Raster(shown, stated=scale)
    full = Stated(0.0, float(2**form.stored - 1), f"BitsStored {form.stored}")
    if pixels.ndim == 3:
        return Raster(pixels, stated=full)
    inverse = form.photometric == "MONOCHROME1"
    _check_presentation(told, inverse=inverse)
    raster = _grey(pixels, form, told)
    raster.white_is_zero = inverse
    padding = _padding(pixels, form, told)
    if padding is not None and raster.stated is not None:
        black = raster.stated.white if inverse else raster.stated.black
        raster.values = np.where(padding, np.asarray(black, raster.values.dtype), raster.values)
    return raster


def _check_presentation(told: Any, *, inverse: bool) -> None:
    """The presentation step must say the same as the photometric interpretation (PS3.3 C.8.11.3.1.2): IDENTITY goes
    with MONOCHROME2, INVERSE with MONOCHROME1. Of files in which they differ viewers show one or the other."""
    if "PresentationLUTSequence" in told:
        raise Refusal("it has a presentation table, a step that is not read", "export it with a window instead")
    shape = str(told.get("PresentationLUTShape", "")).strip().upper()
    if shape and shape != (expected := "INVERSE" if inverse else "IDENTITY"):
        mono = f"MONOCHROME{2 - inverse}"
        raise Refusal(
            f"its PresentationLUTShape is {shape}, which contradicts its photometric interpretation {mono}",
            f"correct one of the two ({mono} goes with {expected})",
        )


def _grey(pixels: Array, form: Format, told: Any) -> Raster:
    """Values of interest, with what is black and white among them."""
    values = _modality(pixels, told)
    if "VOILUTSequence" in told:
        return Raster(_table(values, told), stated=Stated(0.0, 1.0, "the VOI LUT"))
    if "WindowCenter" in told and "WindowWidth" in told:
        function = str(told.get("VOILUTFunction", "LINEAR")).upper()
        shown = window(values, _number(told.WindowCenter), _number(told.WindowWidth), function)
        return Raster(shown, stated=Stated(0.0, 1.0, "the window"))
    if pixels.dtype.kind == "f":
        return Raster(values)  # no scale of its own: the rule of `depth`
    black, white = _range(form, told)
    return Raster(np.clip(values, black, white), stated=Stated(black, white, f"BitsStored {form.stored}"))


def _modality(pixels: Array, told: Any) -> Array:
    from pydicom.pixels.processing import apply_modality_lut

    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in told and told[keyword].VM > 1:
            raise Refusal(f"its {keyword} has {told[keyword].VM} values", "leave one of them")
        if keyword in told and not np.isfinite(_number(told[keyword].value)):
            raise Refusal(f"its {keyword} is no number", EXPORT_AGAIN)
    if "RescaleIntercept" in told or "RescaleSlope" in told:
        told.RescaleSlope = told.get("RescaleSlope", 1)
        told.RescaleIntercept = told.get("RescaleIntercept", 0)
    if "ModalityLUTSequence" in told and pixels.dtype.kind in "iu":
        return dicom_tables.looked_up(pixels, told.ModalityLUTSequence[0], little=_is_little(told))
    with np.errstate(all="ignore"):
        values: Array = apply_modality_lut(pixels, told)
    if values.dtype.kind == "f" and pixels.dtype.kind in "iu" and np.array_equal(values, np.rint(values)):
        # A rescale of whole numbers stays whole: tables need integers. Beyond 53 bits they are no longer told apart.
        return values.astype(np.int64) if np.abs(values).max(initial=0) < 2**53 else values
    return values


def _table(values: Array, told: Any) -> Array:
    if values.dtype.kind == "f":
        raise Refusal("its VOI LUT follows a rescale to fractions", "export it with a window instead")
    shown = dicom_tables.looked_up(values, told.VOILUTSequence[0], little=_is_little(told))
    return shown / float(2 ** int(told.VOILUTSequence[0].LUTDescriptor[2]) - 1)


def _range(form: Format, told: Any) -> tuple[float, float]:
    """What is black and white without a window, in units after the modality step."""
    low, high = (-(2 ** (form.stored - 1)), 2 ** (form.stored - 1) - 1) if form.signed else (0, 2**form.stored - 1)
    if "ModalityLUTSequence" in told:
        return 0.0, float(2 ** int(told.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    if "SmallestPixelValueInSeries" in told and "LargestPixelValueInSeries" in told:
        series = whole(told, "SmallestPixelValueInSeries"), whole(told, "LargestPixelValueInSeries")
        low, high = series if low <= series[0] < series[1] <= high else (low, high)
    slope, intercept = _number(told.get("RescaleSlope", 1)), _number(told.get("RescaleIntercept", 0))
    ends = sorted(end * slope + intercept for end in (float(low), float(high)))
    if not (np.isfinite(ends).all() and ends[0] < ends[1]):
        raise Refusal(f"its rescale slope is {slope:g}", "correct RescaleSlope, or remove it")
    return ends[0], ends[1]


def _padding(pixels: Array, form: Format, told: Any) -> npt.NDArray[np.bool_] | None:
    """Where a grey frame holds no picture (DICOM PS3.3 C.7.5.1.1.2)."""
    if "PixelPaddingValue" not in told or pixels.dtype.kind == "f":
        return None
    ends = [_stored(whole(told, "PixelPaddingValue"), form)]
    ends.append(_stored(whole(told, "PixelPaddingRangeLimit", ends[0]), form))
    return np.asarray((pixels >= min(ends)) & (pixels <= max(ends)))


def _stored(number: int, form: Format) -> int:
    """A padding value in the pixels' own sign: files write both forms."""
    number &= 2**form.stored - 1
    return number - 2**form.stored if form.signed and number >= 2 ** (form.stored - 1) else number


def _number(given: Any) -> float:
    """The first of a multi-valued window: alternatives are listed in order of preference."""
    return float(given if isinstance(given, (int, float, str)) else given[0])


def window(values: Array, centre: float, width: float, function: str) -> Array:
    """Map stored units to [0, 1] float64 by a window (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

    >>> window(np.array([0, 50, 100]), centre=50, width=100, function="LINEAR_EXACT")
    array([0. , 0.5, 1. ])
    """
    x = values.astype(np.float64)
    if not (np.isfinite(centre) and np.isfinite(width) and width >= (1 if function == "LINEAR" else 1e-12)):
        raise Refusal(f"its window width is {width}, its centre {centre}", "correct the window, or remove it")
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
