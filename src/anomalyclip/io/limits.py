"""What is read at all: suffixes, the pixel limit and the file size limit."""

from __future__ import annotations

from anomalyclip.io.refusal import Refusal

DEFAULT_MAX_PIXELS = 89_478_485
"""Largest accepted width x height: a quarter of a gigabyte of RGB, the bound at which Pillow itself starts to warn."""

DEFAULT_MAX_BYTES = 1 << 30
"""Largest accepted file in bytes: an image at the pixel limit fits in uncompressed 32-bit RGB."""

MOST_OF_A_SIDE = 1 << 25
"""Pixels of width or height: from twice that on no library can resize it, however few it has in all."""

DEFAULT_MAX_FRAMES = 4096
"""Pictures of one file that are taken unless another number is asked for."""

_MOST_TOGETHER = 2_000_000_000
"""Pixels of all pictures of one file, beyond which they have to be in its bytes, too."""
_MOST_OF_A_BYTE = 2000
"""Pixels: what a blank page takes in the densest of formats is more, what a whole file of pages takes is less."""

_SUFFIXES = """
    .jpg .jpeg .jpe .jfif .png .apng .bmp .dib .tif .tiff .btf .dng .webp .gif .pbm .pgm .ppm .pnm
    .jp2 .j2k .jpf .jpx .jpc .avif .heic .heif .dcm .dicom .nii
"""
SUFFIXES = frozenset(_SUFFIXES.split())
"""Lower-case suffixes by which files are found in folders."""


def check_in_hand(width: int, height: int, max_pixels: int) -> None:
    """:func:`check_pixels` of pixels that are no file's."""
    if width < 1 or height < 1:
        raise Refusal(
            f"it has {width} x {height} pixels (width x height)", "give an array or an image of 1 x 1 pixels or more"
        )
    check_pixels(width, height, max_pixels)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image by the size that its header declares, before anything is decoded."""
    if width < 1 or height < 1:
        raise Refusal(f"its header declares {width} x {height} pixels", "copy or export the file again")
    if width * height > max_pixels:
        raise Refusal(
            f"it has {width} x {height} = {width * height / 1e6:.4g} megapixels, the limit is {max_pixels / 1e6:.4g}",
            "scale it down or cut it into parts, or raise max_pixels",
        )
    if max(width, height) > MOST_OF_A_SIDE:
        raise Refusal(
            f"it has {width} x {height} pixels, the limit of a side is {MOST_OF_A_SIDE:,}", "cut it into parts"
        )


def check_together(number: int, pixels: int, size: int) -> None:
    """Refuse a file whose pictures, `number` of them with so many pixels together, cannot be in its `size` bytes:
    each is cheap to write, and costs as much to read as any other of its size."""
    if pixels > max(_MOST_TOGETHER, _MOST_OF_A_BYTE * size):
        raise Refusal(
            f"it claims {number:,} pictures of {pixels / 1e9:.3g} gigapixels together, out of {size / 1e3:,.0f} kB",
            "save its pictures as single files",
        )
