"""Untrusted image files to 8-bit RGB: every failure is one `ImageReadError` with one line.

The content decides the format, never the suffix, and only the formats listed here are ever handed to a decoder. The
declared size is checked before anything is decoded. Colour profiles are ignored (as in the method's own preprocessing),
transparency is laid over white as a browser shows it, EXIF orientation is applied. A file of several pictures needs to
be told which (`anomalyclip.io.frames`). Deeper pixels than 8 bits follow `anomalyclip.io.depth`.
"""

from __future__ import annotations

import errno
import io
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from anomalyclip.errors import ImageReadError
from anomalyclip.io import animation, frames, headers, pages, png, tiff
from anomalyclip.io.depth import Raster, opacity, positive, to_uint8
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, SUFFIXES, check_pixels
from anomalyclip.io.names import StrPath, printable
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

__all__ = [
    "DEFAULT_MAX_BYTES",
    "DEFAULT_MAX_PIXELS",
    "SUFFIXES",
    "image_size",
    "read_image",
    "read_image_bytes",
    "read_mask",
]

BACKGROUND = (255, 255, 255)

# Plugin classes, not Image.open: no other format can be reached, and the size is known before any of Pillow's own
# checks could warn.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
}
_EARLY_SIZE = {"GIF": headers.gif_size, "WEBP": headers.webp_size}
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Image.Image:
    """Read one image file as 8-bit RGB, upright, detached from the file.

    Args:
        path: JPEG (grey, RGB, CMYK), PNG, TIFF, BMP, WebP, GIF or DICOM (extra `dicom`). Links are followed. A path
            `FILE#frame=n` is frame n of FILE where no file has that name.
        frame: which picture of a file of several, from 0; None refuses such a file.
        max_pixels: largest accepted width x height, compared with the header before decoding.
        max_bytes: largest accepted file.

    Raises:
        ImageReadError: the file cannot be read; the message names it, the reason and a remedy in one line.
    """
    if frame is None:
        path, frame = frames.split_frame(path)
    return use_file(path, lambda file: _rgb(_decode(file, max_pixels, frame=frame)), max_bytes)


def read_image_bytes(
    data: bytes,
    name: str = "image",
    *,
    frame: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Image.Image:
    """Read one image held in memory, as `read_image` does; `name` stands in the messages. Raises `ImageReadError`."""

    def read() -> Image.Image:
        _check_bytes(len(data), max_bytes)
        return _rgb(_decode(io.BytesIO(data), max_pixels, frame=frame))

    return _reported(name, read)


def read_mask(
    path: StrPath,
    *,
    frame: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> npt.NDArray[np.bool_]:
    """Read a mask as (height, width) bool: True where any colour channel is above 0 and the pixel is not transparent.

    Values are compared at the file's own depth (1 of 65535 counts) and a palette by its colours. EXIF orientation is
    applied as to images, so that mask and image stay aligned. Raises `ImageReadError`.
    """
    if frame is None:
        path, frame = frames.split_frame(path)
    return use_file(path, lambda file: _foreground(_decode(file, max_pixels, windowed=False, frame=frame)), max_bytes)


def image_size(
    path: StrPath,
    *,
    frame: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[int, int]:
    """(width, height) of the upright image, from the header where that suffices. Raises `ImageReadError`."""
    if frame is None:
        path, frame = frames.split_frame(path)
    return use_file(path, lambda file: _upright_size(file, max_pixels, frame), max_bytes)


def _reported(name: StrPath, read: Callable[[], T]) -> T:
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

    return _reported(path, read)


def _opened(path: StrPath, max_bytes: int) -> BinaryIO:
    try:
        status = Path(path).stat()
        # A pipe or a device would block or never end, so look before opening.
        if stat.S_ISDIR(status.st_mode):
            raise Refusal("it is a folder", "give an image file, or list the folder's files")
        if not stat.S_ISREG(status.st_mode):
            raise Refusal("it is not a regular file", "copy the image to a file first")
        _check_bytes(status.st_size, max_bytes)
        return Path(path).open("rb")
    except OSError as error:
        what, remedy = _PATH_PROBLEMS.get(error.errno or 0, (error.strerror or str(error), "check the path and disk"))
        raise Refusal(what, remedy) from error
    except ValueError as error:
        raise Refusal("the path holds a NUL character", "check the path") from error


def _check_bytes(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Refusal(
            f"the file has {size / 1e6:,.4g} MB, the limit is {max_bytes / 1e6:,.4g} MB",
            "save it smaller or compressed, or raise max_bytes",
        )


def _decode(file: BinaryIO, max_pixels: int, windowed: bool = True, frame: int | None = None) -> Pixels:
    """One image in `file`, decoded, with its EXIF orientation still to be applied (1 where none is left)."""
    kind = headers.sniff(file)
    number = frames.count_in(file, kind, max_pixels)
    index = frames.chosen(frame, number)
    if kind == "DICOM":
        from anomalyclip.io import dicom

        return dicom.read(file, index, max_pixels, windowed=windowed), 1
    if kind == "TIFF":
        page = pages.pictures(file)[index]
        if number > 1 or not pages.is_plain(file, page):
            file = io.BytesIO(pages.extract(file, page))
        return _decode_tiff(file, max_pixels)
    if number > 1:
        if kind == "PNG" and png.bit_depth(file) == 16:
            raise Refusal("it is an animation of 16 bits per channel", "save its frames as single files")
        shown = animation.picture(file, kind, index, number)
        return shown, _orientation(shown)
    if kind in _EARLY_SIZE:
        check_pixels(*_EARLY_SIZE[kind](file), max_pixels)
    image = _PLUGINS[kind](file)
    check_pixels(*image.size, max_pixels)
    orientation = _orientation(image)
    sixteen = kind == "PNG" and png.bit_depth(file) == 16
    image.load()
    if sixteen:  # Pillow has found it intact, but keeps the upper byte only
        return png.decode_deep(file), orientation
    return image, orientation


def _decode_tiff(file: BinaryIO, max_pixels: int) -> Pixels:
    """The first page of a TIFF, upright: whoever decodes it applies the orientation."""
    header = tiff.read_header(file)
    check_pixels(*header.size, max_pixels)
    if header.deep:
        return tiff.decode_deep(file, header), 1
    image = TiffImageFile(file)
    check_pixels(*image.size, max_pixels)
    image.load()
    return image, 1


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken note about the camera is no reason to lose the picture
        return 1


def _upright_size(file: BinaryIO, max_pixels: int, frame: int | None) -> tuple[int, int]:
    kind = headers.sniff(file)
    if kind in ("DICOM", "TIFF") or frame is not None:  # which way up they are is known to their decoders
        return _rgb(_decode(file, max_pixels, frame=frame)).size
    frames.chosen(frame, frames.count_in(file, kind, max_pixels))
    image = _PLUGINS[kind](file)
    width, height = image.size
    return (height, width) if _orientation(image) in (5, 6, 7, 8) else (width, height)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURN[orientation]) if orientation in _TURN else image


def _rgb(pixels: Pixels) -> Image.Image:
    content, orientation = pixels
    rgb = _rgb_of_raster(content) if isinstance(content, Raster) else _rgb_of_image(content)
    rgb.info = {}  # a second look at the EXIF note would turn the image again
    return _turned(rgb, orientation)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _rgba(image: Image.Image) -> Image.Image:
    # Premultiplied modes convert to their plain twins only.
    plain = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    return (image.convert(plain) if plain else image).convert("RGBA")


def _rgb_of_image(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        raise Refusal("its colours are CIE Lab", "save it as RGB")
    if not _has_alpha(image):
        return image.convert("RGB")
    rgba = _rgba(image)
    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _rgb_of_raster(raster: Raster) -> Image.Image:
    levels = to_uint8(raster.values)
    if raster.white_is_zero:
        levels = 255 - levels
    image = Image.fromarray(levels).convert("RGB")
    if raster.alpha is None:
        return image
    mask = Image.fromarray(np.rint(opacity(raster.alpha) * 255).astype(np.uint8))
    return Image.composite(image, Image.new("RGB", image.size, BACKGROUND), mask)


def _foreground(pixels: Pixels) -> npt.NDArray[np.bool_]:
    content, orientation = pixels
    if not isinstance(content, Raster) and content.mode in ("1", "L") and not _has_alpha(content):
        content = Raster(np.asarray(content))  # what most masks are, without a detour through colour
    elif not isinstance(content, Raster):
        rgba = np.asarray(_rgba(content)) if _has_alpha(content) else np.asarray(_rgb_of_image(content))
        content = Raster(rgba[..., :3], rgba[..., 3] if rgba.shape[2] == 4 else None)
    on = positive(content)
    if orientation not in _TURN:
        return on
    return np.asarray(_turned(Image.fromarray(on.view(np.uint8)), orientation)) > 0
