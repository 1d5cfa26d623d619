"""What an open file holds -> its pixels: the content decides the format, its header is checked, one decoder runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO

from PIL import Image

from anomalyclip.io import animation, decoding, frames, headers, inspection, room
from anomalyclip.io.depth import Raster
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.memo import Memo
from anomalyclip.io.notes import NOTES, notes_of
from anomalyclip.io.refusal import Refusal

# What a file's content becomes before it is turned into RGB or a mask, and by how much EXIF says it is turned.
Pixels = tuple["Image.Image | Raster", int]


def rgb(
    file: BinaryIO,
    max_pixels: int,
    *,
    frame: int | None = None,
    axis: str = "z",
    full_scale: FullScale | None = None,
) -> Image.Image:
    """One picture of an open file as 8-bit RGB, upright; see `images.read_image`. Raises what decoders raise."""
    with ExitStack() as stack:

        def claim(size: int) -> None:
            stack.enter_context(room.decoding.held(size))

        return decoding.to_rgb(*decode(file, max_pixels, frame=frame, axis=axis, claim=claim), full_scale)


def decode(
    file: BinaryIO,
    max_pixels: int,
    windowed: bool = True,
    frame: int | None = None,
    axis: str = "z",
    claim: Callable[[int], object] = int,
) -> Pixels:
    """One image in `file`, decoded, with its EXIF orientation still to be applied (1 where none is left).

    claim: is told how many bytes it will take before it takes them, where a decoder of this process may take much.
    """
    kind = headers.sniff(file)
    number = frames.count_in(file, kind, max_pixels, axis)
    index = frames.chosen(frame, number)
    if inspection.checked is not None and kind in ("NIFTI", "DICOM"):
        inspection.read_header(file, max_pixels)
    if kind == "NIFTI":
        from anomalyclip.io import nifti

        return nifti.read(file, index, max_pixels, axis, windowed=windowed), 1
    if kind == "DICOM":
        from anomalyclip.io import dicom

        return dicom.read(file, index, max_pixels, windowed=windowed), 1
    if number > 1 and kind in animation.KINDS:
        return _of_animation(file, kind, max_pixels, index, number)
    header = inspection.read_header(file, max_pixels, index)
    claim(header.decoded_bytes)
    pixels, orientation = decoding.decode(file, header)
    if isinstance(pixels, Raster):
        pixels.notes += header.notes
    elif header.notes:
        pixels.info[NOTES] = header.notes + notes_of(pixels)
    return pixels, orientation


_animations: Memo[inspection.Header] = Memo(16)  # one header for all pictures, which may take long to walk


def _of_animation(file: BinaryIO, kind: str, max_pixels: int, index: int, number: int) -> Pixels:
    header = _animations.of(
        file, lambda: dataclasses.replace(inspection.read_header(file, max_pixels), facts=None), max_pixels
    )
    if inspection.checked is not None:
        inspection.checked(header)
    if header.bits == 16:
        raise Refusal("it is an animation of 16 bits per channel", "save its frames as single files")
    if header.scaled:
        raise Refusal("it is an animation of the narrow range of video", "save its frames as single files")
    shown = animation.picture(file, kind, index, number)
    if header.notes:
        shown.info[NOTES] = header.notes + notes_of(shown)
    return shown, header.orientation


def upright_size(file: BinaryIO, max_pixels: int, frame: int | None, axis: str) -> tuple[int, int]:
    """(width, height) of the upright picture, from the header where that suffices. Raises `Refusal`."""
    kind = headers.sniff(file)
    if kind in ("DICOM", "AVIF", "HEIC", "NIFTI"):  # which way up they are is known to their decoders
        return rgb(file, max_pixels, frame=frame, axis=axis).size
    index = frames.chosen(frame, frames.count_in(file, kind, max_pixels))
    return inspection.read_header(file, max_pixels, index).upright_size
