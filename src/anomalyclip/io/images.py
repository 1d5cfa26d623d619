"""Untrusted image files to 8-bit RGB: every failure is one `ImageReadError` with one line.

The content decides the format, never the suffix, and only the formats listed here are ever handed to a decoder. The
declared size is checked before anything is decoded. Colour profiles are ignored (as in the method's own preprocessing),
transparency is laid over white as a browser shows it, EXIF orientation is applied. A file of several pictures needs to
be told which (`anomalyclip.io.frames`). Deeper pixels than 8 bits follow `anomalyclip.io.depth`.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.io import attempts, content, decoding, frames
from anomalyclip.io.apart import decoders_for
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, SUFFIXES
from anomalyclip.io.names import StrPath
from anomalyclip.io.notes import notes_of
from anomalyclip.io.opened import check_bytes, reported, use_file

__all__ = [
    "DEFAULT_MAX_BYTES",
    "DEFAULT_MAX_PIXELS",
    "SUFFIXES",
    "image_size",
    "notes_of",
    "read_image",
    "read_image_bytes",
    "read_mask",
]


def read_image(
    path: StrPath,
    *,
    frame: int | None = None,
    axis: str = "z",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
    full_scale: FullScale | None = None,
) -> Image.Image:
    """Read one image file as 8-bit RGB, upright, detached from the file.

    Args:
        path: JPEG, PNG, TIFF, BMP, WebP, GIF, PNM, JPEG 2000, AVIF, HEIC (extra `heif`), DICOM or NIfTI (extra
            `medical`). Links are followed. A path `FILE#frame=n` is frame n of FILE where no file has that name.
        frame: which picture of a file of several, from 0; None refuses such a file.
        axis: x, y or z, along which slices of a NIfTI volume are counted.
        max_pixels: largest accepted width x height, compared with the header before decoding.
        max_bytes: largest accepted file.
        full_scale: the stored value that is white in files deeper than 8 bits that do not say so themselves (4095 for
            a camera of 12 bits), or those of black and white; None follows `anomalyclip.io.depth`.

    Returns:
        The picture; `notes_of` gives what has to be told about how it was read.

    Raises:
        ImageReadError: the file cannot be read; the message names it, the reason and a remedy in one line.
    """
    if frame is None:
        path, frame = frames.split_frame(path)

    def read(file: BinaryIO) -> Image.Image:
        return content.rgb(file, max_pixels, frame=frame, axis=axis, full_scale=full_scale)

    with attempts.reading(path), decoders_for(path) as elsewhere:
        if elsewhere is not None:
            options: dict[str, Any] = {"frame": frame, "axis": axis, "max_pixels": max_pixels}
            return elsewhere.read(path, full_scale=full_scale, **options)
        return use_file(path, read, max_bytes)


def read_image_bytes(
    data: bytes,
    name: str = "image",
    *,
    frame: int | None = None,
    axis: str = "z",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
    full_scale: FullScale | None = None,
) -> Image.Image:
    """Read one image held in memory, as `read_image` does; `name` stands in the messages. Raises `ImageReadError`."""

    def read() -> Image.Image:
        check_bytes(len(data), max_bytes)
        return content.rgb(io.BytesIO(data), max_pixels, frame=frame, axis=axis, full_scale=full_scale)

    with decoders_for(data) as elsewhere:
        if elsewhere is not None:
            options: dict[str, Any] = {"frame": frame, "axis": axis, "max_pixels": max_pixels}
            return elsewhere.read(data, name=name, full_scale=full_scale, **options)
        return reported(name, read)


def read_mask(
    path: StrPath,
    *,
    frame: int | None = None,
    axis: str = "z",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> npt.NDArray[np.bool_]:
    """Read a mask as (height, width) bool: True where any colour channel is above 0 and the pixel is not transparent.

    Values are compared at the file's own depth (1 of 65535 counts) and a palette by its colours. EXIF orientation is
    applied as to images, so that mask and image stay aligned. Raises `ImageReadError`.
    """
    if frame is None:
        path, frame = frames.split_frame(path)

    def read(file: BinaryIO) -> npt.NDArray[np.bool_]:
        return decoding.foreground(*content.decode(file, max_pixels, windowed=False, frame=frame, axis=axis))

    with attempts.reading(path), decoders_for(path) as elsewhere:
        if elsewhere is not None:
            return elsewhere.mask(path, frame=frame, axis=axis, max_pixels=max_pixels)
        return use_file(path, read, max_bytes)


def image_size(
    path: StrPath,
    *,
    frame: int | None = None,
    axis: str = "z",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[int, int]:
    """(width, height) of the upright image, from the header where that suffices. Raises `ImageReadError`."""
    if frame is None:
        path, frame = frames.split_frame(path)
    with decoders_for(path) as elsewhere:
        if elsewhere is not None:
            return elsewhere.size(path, frame=frame, axis=axis, max_pixels=max_pixels)
        return use_file(path, lambda file: content.upright_size(file, max_pixels, frame, axis), max_bytes)
