"""`inspect`: everything that a file's header says about its picture, before decoding.

It is pure: it reads bytes, keeps nothing and starts no decoder, whatever the file. Readers call it first; a server can
admit work by `Header.decoded_bytes`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from anomalyclip.io import light
from anomalyclip.io.headers import sniff
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, check_pixels
from anomalyclip.io.opened import reported, use_file
from anomalyclip.io.refusal import Refusal, truncated

_PILLOW_PIXEL = 4  # bytes that Pillow keeps of an RGB pixel
_MOST_RLE = 4_194_304  # pixels and bytes of a run-length-coded BMP, which Pillow unpacks one by one
_MASKED = "a page of it is a mask of the pixels that count; it is not used, all pixels are scored"

checked: Callable[[Header], object] | None = None
"""Gets every header that passed, before its picture is decoded: the process that decodes bounds its memory by it."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture, all of it checked.

    format: as `sniff` names it. width, height: pixels as stored (`orientation` says how they are turned). channels:
    samples of a pixel. bits: of a sample. itemsize: bytes of a decoded sample. frames: pictures counted on the way, at
    least 1. scans: passes of a progressive JPEG, else 1. decoded_bytes: most bytes that reading needs at a time, the
    file's own not counted. facts: the format's own findings, for its decoder. notes: what has to be told of them.
    scaled: whether the file says which samples are black and white.
    """

    format: str
    width: int
    height: int
    channels: int = 3
    bits: int = 8
    itemsize: int = 1
    frames: int = 1
    scans: int = 1
    orientation: int = 1
    decoded_bytes: int = 0
    facts: Any = None
    notes: tuple[str, ...] = ()
    scaled: bool = False

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) once the picture is turned."""
        return (self.height, self.width) if self.orientation in (5, 6, 7, 8) else (self.width, self.height)


def inspect(source: str | Path | bytes | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Everything that the header of a still picture says, without decoding anything.

    Args:
        source: a path, a file's bytes, or an open binary file (rewound).
        max_pixels: largest accepted width x height.

    Returns:
        The header; of a TIFF, that of its first page that is no reduced copy.

    Raises:
        ImageReadError: not an image, too large, damaged, or of a kind that is not read; one line.
    """
    if isinstance(source, bytes):
        return reported("image", lambda: read_header(io.BytesIO(source), max_pixels))
    if isinstance(source, (str, Path)):
        return use_file(source, lambda file: read_header(file, max_pixels), DEFAULT_MAX_BYTES)
    return reported(getattr(source, "name", "image"), lambda: read_header(source, max_pixels))


def read_header(file: BinaryIO, max_pixels: int, index: int = 0) -> Header:
    """`inspect` of an open file, rewound at the end; of a TIFF or PNM, that of picture `index`. Raises `Refusal`."""
    kind = sniff(file)
    try:
        paged = {"TIFF": _tiff, "PNM": _pnm}.get(kind)
        header = paged(file, max_pixels, index) if paged else _READERS[kind](file, max_pixels)
    except struct.error as error:  # a read came back short
        raise truncated() from error
    finally:
        file.seek(0)
    check_pixels(header.width, header.height, max_pixels)
    if checked is not None:
        checked(header)
    return header


def _jpeg(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import jpeg

    facts = jpeg.read_facts(file)
    pixels = facts.width * facts.height
    # A progressive file is decoded through all its coefficients, of two bytes each.
    if facts.components == 4 and not facts.adobe:
        raise Refusal("it is a CMYK JPEG that does not say whether its inks are turned round", "save it as RGB")
    decoded = pixels * (_PILLOW_PIXEL + (2 * facts.components if facts.scans > 1 else 0))
    return Header(
        "JPEG",
        facts.width,
        facts.height,
        facts.components,
        scans=facts.scans,
        orientation=facts.orientation,
        decoded_bytes=decoded + (pixels * _PILLOW_PIXEL if facts.components != 3 else 0),
        facts=facts,
        notes=light.note_of_profile(facts.profile),
    )


def _png(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import png

    facts = png.read_facts(file)
    pixels = facts.width * facts.height
    size = 2 if facts.depth == 16 else 1
    # OpenCV's array and the same in RGB order, or Pillow's picture; then 8 bits of it.
    decoded = pixels * (2 * facts.channels * size if size == 2 else _PILLOW_PIXEL) + 2 * pixels * _PILLOW_PIXEL
    if facts.animated:  # what is shown, what the next is drawn over, the next one twice, and copies
        decoded = 6 * pixels * _PILLOW_PIXEL
    return Header(
        "PNG",
        facts.width,
        facts.height,
        facts.channels,
        facts.depth,
        size,
        orientation=facts.orientation,
        decoded_bytes=decoded,
        facts=facts,
        notes=facts.told,
        scaled=facts.narrow,
    )


def _tiff(file: BinaryIO, max_pixels: int, index: int = 0) -> Header:
    from anomalyclip.io import pages, tiff

    places, masked = pages.pictures(file)
    page = tiff.page_at(file, places[index])
    layout = tiff.read_layout(file, page, max_pixels)
    pixels = layout.width * layout.height
    return Header(
        "TIFF",
        layout.width,
        layout.height,
        layout.samples,
        layout.bits,
        layout.dtype.itemsize,
        len(places),
        orientation=layout.orientation,
        decoded_bytes=layout.working_bytes + pixels * (3 + 2 * _PILLOW_PIXEL),
        facts=(page, layout),
        notes=(_MASKED,) if masked and index == 0 else (),  # once a file, not in the row of each of its pages
        scaled=layout.stated is not None,
    )


def _gif(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import gif

    facts = gif.read_facts(file)
    pixels = facts.width * facts.height
    # Of several pictures: what is shown, what the next is drawn over, the next one and its copy, each as RGBA.
    decoded = (13 if facts.frames == 1 else 6 * _PILLOW_PIXEL) * pixels
    return Header("GIF", facts.width, facts.height, frames=facts.frames, decoded_bytes=decoded, facts=facts)


def _webp(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import webp

    facts = webp.read_facts(file)
    pixels = facts.width * facts.height
    return Header(
        "WEBP",
        facts.width,
        facts.height,
        4,
        frames=facts.frames,
        orientation=facts.orientation,
        decoded_bytes=5 * _PILLOW_PIXEL * pixels,  # the decoder's canvas twice, its bytes, Pillow's picture, RGB
        facts=facts,
        notes=light.note_of_profile(facts.profile),
    )


def _bmp(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import bmp

    facts = bmp.read_facts(file, max_pixels)
    pixels = facts.width * facts.height
    if facts.compression in bmp.RUNS and max(pixels, file.seek(0, 2)) > _MOST_RLE:
        raise Refusal(
            f"it is a run-length-coded BMP of more than {_MOST_RLE / 1e6:.3g} megapixels or megabytes",
            "save it uncompressed or as PNG",
        )
    return Header(
        "BMP", facts.width, facts.height, bits=facts.bits, decoded_bytes=3 * _PILLOW_PIXEL * pixels, facts=facts
    )


def _pnm(file: BinaryIO, max_pixels: int, index: int = 0) -> Header:
    from anomalyclip.io import pnm

    facts = pnm.read_facts(file, index)
    size = 2 if facts.maximum > 255 else 1
    pixels = facts.width * facts.height
    return Header(
        "PNM",
        facts.width,
        facts.height,
        facts.channels,
        facts.maximum.bit_length(),
        size,
        decoded_bytes=pixels * (2 * facts.channels * size + 3 + _PILLOW_PIXEL),
        facts=facts,
    )


def _boxed(name: str) -> Callable[[BinaryIO, int], Header]:
    def read(file: BinaryIO, max_pixels: int) -> Header:
        from anomalyclip.io import isobmff

        facts = isobmff.read_jpeg2000(file) if name == "JPEG2000" else isobmff.read_heif(file)
        size = 1 if facts.bits <= 8 else 2
        pixels = facts.width * facts.height
        # OpenJPEG keeps four bytes of every sample, OpenCV its array of deep ones and the same in RGB order.
        decoded = pixels * (4 * size * facts.components + 3 * _PILLOW_PIXEL)
        sizes = facts.width, facts.height, facts.components, facts.bits, size
        return Header(name, *sizes, decoded_bytes=decoded, facts=facts, notes=facts.notes)

    return read


def _dicom(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import dicom

    form = dicom.inspected(file, max_pixels)
    size = max(1, form.allocated // 8)
    # The stored values, rescaled and windowed as floats of eight bytes, then 8 bits of them.
    decoded = form.columns * form.rows * (form.samples * (2 * size + 16) + 3 + _PILLOW_PIXEL)
    return Header(
        "DICOM",
        form.columns,
        form.rows,
        form.samples,
        form.stored,
        size,
        form.frames,
        decoded_bytes=decoded,
        facts=form,
    )


def _nifti(file: BinaryIO, max_pixels: int) -> Header:
    from anomalyclip.io import nifti

    volume = nifti.read_header(file, max_pixels)
    width, height = volume.size("z")
    bits = 8 * volume.dtype.itemsize
    # Voxels of a file in memory, and a slice of them as floats and as 8 bits.
    decoded = volume.bytes + width * height * (2 * 8 + 3 + _PILLOW_PIXEL)
    frames = volume.slices("z") * volume.volumes
    return Header("NIFTI", width, height, volume.colours, bits, bits // 8, frames, decoded_bytes=decoded, facts=volume)


_READERS: dict[str, Callable[[BinaryIO, int], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "BMP": _bmp,
    "JPEG2000": _boxed("JPEG2000"),
    "AVIF": _boxed("AVIF"),
    "HEIC": _boxed("HEIC"),
    "DICOM": _dicom,
    "NIFTI": _nifti,
}
