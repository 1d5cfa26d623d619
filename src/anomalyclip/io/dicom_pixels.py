"""The frames of a DICOM file as they are stored: found, checked against the tags, and decoded one at a time.

Native frames are cut out of the file, encapsulated ones put together from their fragments; neither needs the others.
What the tags claim (rows, columns, samples, bits, frames) is compared with what is there before a decoder is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from anomalyclip.io import codestreams
from anomalyclip.io.dicom_fragments import fragments_of
from anomalyclip.io.dicom_structure import DicomFile, value, whole
from anomalyclip.io.limits import check_pixels
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

Array = npt.NDArray[Any]

_DECODERS = (
    "install a decoder (pip install pylibjpeg pylibjpeg-libjpeg, or pyjpegls for JPEG-LS), or decompress the file "
    "(dcmdjpeg, or gdcmconv --raw)"
)
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_JPEG = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81)}
_JPEG2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)}
_RLE = "1.2.840.10008.1.2.5"
# Colours of three samples, native and compressed.
_COLOURS = (
    frozenset({"RGB", "YBR_FULL", "YBR_FULL_422"}),
    frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420", "YBR_PARTIAL_422"}),
)
_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True)
class Format:
    """How pixels are stored: the Image Pixel module, defaults filled in where an attribute is absent or empty."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: int
    frames: int

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame."""
        per_pixel = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * per_pixel * self.allocated


def format_of(parsed: DicomFile, max_pixels: int) -> Format:
    """The Image Pixel module, checked. Raises `Refusal`."""
    data = parsed.data
    samples = whole(data, "SamplesPerPixel", 1)
    if samples not in (1, 3):
        raise Refusal(f"it has {samples} samples per pixel, expected 1 or 3", "convert it to grey or RGB")
    rows, columns = whole(data, "Rows"), whole(data, "Columns")
    check_pixels(columns, rows, max_pixels)
    allocated = _FLOATS.get(parsed.keyword) or whole(data, "BitsAllocated")
    stored = allocated if parsed.keyword in _FLOATS else whole(data, "BitsStored", allocated)
    high = whole(data, "HighBit", stored - 1)
    if not (allocated in (1, 8, 16, 32, 64) and 1 <= stored <= allocated and stored - 1 <= high < allocated):
        raise Refusal(f"it stores {stored} of {allocated} bits up to bit {high}, which cannot be", EXPORT_AGAIN)
    frames = whole(data, "NumberOfFrames", 1)
    if frames < 1:
        raise Refusal(f"it declares {frames} frames", EXPORT_AGAIN)
    photometric = str(value(data, "PhotometricInterpretation", "RGB" if samples == 3 else "MONOCHROME2")).strip()
    if samples == 3 and photometric not in _COLOURS[parsed.length is None]:
        raise Refusal(f"its photometric interpretation is {photometric} of 3 samples", "convert it to RGB")
    if samples == 1 and photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        raise Refusal(f"its photometric interpretation is {photometric}", "convert it to MONOCHROME2 or RGB")
    signed = bool(whole(data, "PixelRepresentation", 0))
    planar = whole(data, "PlanarConfiguration", 0)
    return Format(rows, columns, samples, photometric, allocated, stored, high, signed, planar, frames)


def check_frames(file: BinaryIO, parsed: DicomFile, form: Format) -> None:
    """Whether the frames that the tags claim are there. Raises `Refusal`."""
    if _family(parsed) is not None:
        fragments_of(file, parsed, form.frames)
        return
    if parsed.length is None:
        raise Refusal("its pixel data is encapsulated, its transfer syntax is not", EXPORT_AGAIN)
    there = min(parsed.length, parsed.end - parsed.offset)
    needed = -(-form.frame_bits * form.frames // 8)
    if there < needed:
        raise truncated(f"its tags claim {needed:,} bytes of pixel data, {there:,} are there")
    spare = -(-form.frame_bits // 8) if form.photometric != "YBR_FULL_422" else 2
    if there - needed >= max(spare, 2):
        raise Refusal(f"it holds {there:,} bytes of pixel data, its tags claim {needed:,}", EXPORT_AGAIN)


def read_frame(file: BinaryIO, parsed: DicomFile, form: Format, index: int) -> Array:
    """One frame, decoded: (rows, columns) or (rows, columns, 3) RGB; integers as stored, their own bits alone."""
    check_frames(file, parsed, form)
    family = _family(parsed)
    return _native(file, parsed, form, index) if family is None else _decoded(file, parsed, form, index, family)


def _family(parsed: DicomFile) -> str | None:
    """JPEG, JPEG 2000 or RLE; None for native pixels. Raises `Refusal` for what is no picture."""
    syntax = parsed.syntax
    if syntax in _JPEG:
        return "JPEG"
    if syntax in _JPEG2000:
        return "JPEG 2000"
    if syntax == _RLE:
        return "RLE"
    if syntax in {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", _BIG_ENDIAN, "1.2.840.10008.1.2.1.99"}:
        return None
    from pydicom.uid import UID

    name = UID(syntax).name
    if "MPEG" in name or "HEVC" in name:
        raise Refusal(f"it holds a video ({name})", "export the video and score its frames with `anomalyclip watch`")
    raise Refusal(f"its compression ({name}) cannot be decoded here", _DECODERS)


def _native(file: BinaryIO, parsed: DicomFile, form: Format, index: int) -> Array:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    source = parsed.source(file)
    if form.allocated == 1:
        return _bits(source, parsed.offset, form, index)
    size = form.frame_bits // 8
    source.seek(parsed.offset + index * size)
    options = _options(parsed, form, stored=form.allocated, signed=False)
    data = source.read(size)
    if form.allocated == 8 and parsed.syntax == _BIG_ENDIAN and _in_words(source, parsed.offset):
        data = _swapped(source, parsed.offset, index * size, size)
    pixels, _ = get_decoder(UID(parsed.syntax)).as_array(data, index=0, **options)
    return pixels if parsed.keyword in _FLOATS else _in_rgb(_significant(pixels, form), form)


def _in_words(source: BinaryIO, offset: int) -> bool:
    """Whether the element whose value begins here says OW: bytes then lie in words, which big endian turns round."""
    source.seek(offset - 8)  # representation, two reserved bytes, four of length
    return source.read(2) == b"OW"


def _swapped(source: BinaryIO, offset: int, start: int, size: int) -> bytes:
    """Bytes from `start` of a value that lies in words of two turned round."""
    first = start - start % 2
    source.seek(offset + first)
    words = bytearray(source.read(size + start % 2 + (size + start) % 2))
    words.extend(bytes(len(words) % 2))
    words[0::2], words[1::2] = words[1::2], words[0::2]
    return bytes(words[start - first : start - first + size])


def _bits(source: BinaryIO, offset: int, form: Format, index: int) -> Array:
    """A frame of single bits; frames follow each other without filling up the last byte."""
    if form.samples != 1:
        raise Refusal("it stores colours in single bits", EXPORT_AGAIN)
    count = form.rows * form.columns
    first, skip = divmod(index * count, 8)
    source.seek(offset + first)
    packed = np.frombuffer(source.read(-(-(skip + count) // 8)), np.uint8)
    return np.unpackbits(packed, bitorder="little")[skip : skip + count].reshape(form.rows, form.columns)


def _significant(pixels: Array, form: Format) -> Array:
    """The bits that belong to the pixel, right-justified; overlays and rubbish in the others go."""
    kept = (pixels >> (form.high + 1 - form.stored)) & pixels.dtype.type(2**form.stored - 1)
    if not form.signed:
        return np.asarray(kept)
    spare = form.allocated - form.stored
    signed: Array = (kept << spare).astype(f"i{form.allocated // 8}") >> spare
    return signed


def _options(parsed: DicomFile, form: Format, *, stored: int, signed: bool) -> dict[str, Any]:
    return {
        "rows": form.rows,
        "columns": form.columns,
        "samples_per_pixel": form.samples,
        "photometric_interpretation": form.photometric,
        "bits_allocated": form.allocated,
        "bits_stored": stored,
        "pixel_representation": int(signed),
        "planar_configuration": form.planar,
        "number_of_frames": 1,
        "pixel_keyword": parsed.keyword,
        "as_rgb": form.allocated == 8,  # deeper: see `_in_rgb`
    }


def _decoded(file: BinaryIO, parsed: DicomFile, form: Format, index: int, family: str) -> Array:
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    source = parsed.source(file)
    parts = []
    for offset, length in fragments_of(file, parsed, form.frames).frames[index]:
        source.seek(offset)
        parts.append(source.read(length))
    data = b"".join(parts)
    claimed = codestreams.Claimed(form.columns, form.rows, form.samples, form.allocated)
    codestreams.check(family, data, claimed)
    options = _options(parsed, form, stored=form.stored, signed=form.signed)
    try:
        pixels, _ = get_decoder(UID(parsed.syntax)).as_array(encapsulate([data]), index=0, **options)
    except (NotImplementedError, RuntimeError) as error:  # no plugin for the transfer syntax
        raise Refusal(f"its compression ({UID(parsed.syntax).name}) cannot be decoded here", _DECODERS) from error
    return _in_rgb(pixels, form)


def _in_rgb(pixels: Array, form: Format) -> Array:
    """Colours of more than 8 bits as RGB, by the equations of PS3.3 C.7.6.3.1.2; pydicom converts those of 8 bits."""
    if form.allocated == 8 or form.photometric not in ("YBR_FULL", "YBR_FULL_422"):
        return pixels
    luma, blue, red = np.moveaxis(pixels.astype(np.float64), -1, 0)
    blue, red = blue - 2.0 ** (form.stored - 1), red - 2.0 ** (form.stored - 1)
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], -1)
    return np.asarray(np.clip(np.rint(rgb), 0, 2**form.stored - 1).astype(pixels.dtype))
