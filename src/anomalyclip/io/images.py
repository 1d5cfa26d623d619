"""Untrusted image files to 8-bit RGB: every failure is one `ImageReadError` with one line.

The content decides the format, never the suffix, and only the formats listed here are ever handed to a decoder. The
declared size is checked before anything is decoded. Colour profiles are ignored (as in the method's own preprocessing),
transparency is laid over white as a browser shows it, EXIF orientation is applied. A file of several pictures needs to
be told which (`anomalyclip.io.frames`). Deeper pixels than 8 bits follow `anomalyclip.io.depth`.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io import animation, attempts, decoding, frames, headers, inspection
from anomalyclip.io.decoding import notes_of
from anomalyclip.io.depth import Raster
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, SUFFIXES
from anomalyclip.io.names import StrPath, printable
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated
from anomalyclip.io.regular import open_regular

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

_PATH_PROBLEMS = {
    errno.ENOENT: ("there is no such file", "check the path"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "check the path"),
    errno.EACCES: ("permission denied", "make the file and its folder readable"),
    errno.EPERM: ("permission denied", "make the file and its folder readable"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "check the path"),
    errno.ELOOP: ("it is a symbolic link that leads back to itself", "repair the link"),
}

T = TypeVar("T")
# What a file's content becomes before it is turned into RGB or a mask, and by how much EXIF says it is turned.
Pixels = tuple["Image.Image | Raster", int]


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
        return decoding.to_rgb(*_decode(file, max_pixels, frame=frame, axis=axis), full_scale)

    with attempts.reading(path):
        if attempts.read_apart(path):
            from anomalyclip.io.isolation import read_once

            options: dict[str, Any] = {"frame": frame, "axis": axis, "max_pixels": max_pixels}
            with attempts.elsewhere():
                return read_once(path, full_scale=full_scale, **options)
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
        _check_bytes(len(data), max_bytes)
        return decoding.to_rgb(*_decode(io.BytesIO(data), max_pixels, frame=frame, axis=axis), full_scale)

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
        return decoding.foreground(*_decode(file, max_pixels, windowed=False, frame=frame, axis=axis))

    with attempts.reading(path):
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
    return use_file(path, lambda file: _upright_size(file, max_pixels, frame, axis), max_bytes)


def reported(name: StrPath, read: Callable[[], T]) -> T:
    """Run `read`, turning whatever it raises into one line about `name`."""
    try:
        return read()
    except Refusal as refusal:
        raise ImageReadError(f"{printable(name)}: {refusal}") from refusal.__cause__
    except MemoryError as error:
        raise ImageReadError(f"{printable(name)}: not enough memory to decode it; scale it down") from error
    except Exception as error:  # decoders raise nearly anything on hostile bytes: struct.error, KeyError, OSError ...
        text = " ".join(str(error).split()) or type(error).__name__
        if "truncat" in text.lower():
            raise ImageReadError(f"{printable(name)}: {truncated()}") from error
        raise ImageReadError(
            f"{printable(name)}: the image is damaged or cut off ({text[:120]}); {EXPORT_AGAIN}"
        ) from error


def use_file(path: StrPath, use: Callable[[BinaryIO], T], max_bytes: int) -> T:
    """Open a regular file, hand it to `use`, and report any failure as an `ImageReadError` that names the file."""

    def read() -> T:
        with _opened(path, max_bytes) as file:
            return use(file)

    return reported(path, read)


def _opened(path: StrPath, max_bytes: int) -> BinaryIO:
    try:
        _check_kind(Path(path).stat(), max_bytes)  # before it is opened, for opening a device can do things; and after
        return open_regular(path)
    except OSError as error:
        what, remedy = _PATH_PROBLEMS.get(error.errno or 0, (error.strerror or str(error), "check the path and disk"))
        raise Refusal(what, remedy) from error
    except ValueError as error:
        raise Refusal("the path holds a NUL character", "check the path") from error


def _check_kind(status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Refusal("it is a folder", "give an image file, or list the folder's files")
    if not stat.S_ISREG(status.st_mode):
        raise Refusal("it is not a regular file", "copy the image to a file first")
    _check_bytes(status.st_size, max_bytes)


def _check_bytes(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Refusal(
            f"the file has {size / 1e6:,.4g} MB, the limit is {max_bytes / 1e6:,.4g} MB",
            "save it smaller or compressed, or raise max_bytes",
        )


def _decode(
    file: BinaryIO, max_pixels: int, windowed: bool = True, frame: int | None = None, axis: str = "z"
) -> Pixels:
    """One image in `file`, decoded, with its EXIF orientation still to be applied (1 where none is left)."""
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
    header = inspection.read_header(file, max_pixels, index)
    if number > 1 and kind in animation.KINDS:
        if header.bits == 16:
            raise Refusal("it is an animation of 16 bits per channel", "save its frames as single files")
        return animation.picture(file, kind, index, number), header.orientation
    return decoding.decode(file, header)


def _upright_size(file: BinaryIO, max_pixels: int, frame: int | None, axis: str) -> tuple[int, int]:
    kind = headers.sniff(file)
    if kind in ("DICOM", "AVIF", "HEIC", "NIFTI"):  # which way up they are is known to their decoders
        return decoding.to_rgb(*_decode(file, max_pixels, frame=frame, axis=axis)).size
    index = frames.chosen(frame, frames.count_in(file, kind, max_pixels))
    return inspection.read_header(file, max_pixels, index).upright_size
