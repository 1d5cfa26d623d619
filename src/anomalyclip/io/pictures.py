"""Writing pictures: files (atomic) and data URIs for self-contained pages."""

from __future__ import annotations

import base64
import io
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomalyclip.errors import InputError, OutputError
from anomalyclip.io.atomic import write_bytes
from anomalyclip.io.names import StrPath, printable
from anomalyclip.io.png_rows import rgb_png

#: Pillow's options: after PNG's own filters runs are what there is to find; half the time of level 3, and smaller files
PNG: dict[str, Any] = {"compress_level": 1, "compress_type": zlib.Z_RLE}
_PNG_HOLDS = {"icc_profile", "transparency"}  # of a picture's `info`, beside its pixels
_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", PNG),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
}


def write_image(path: StrPath, image: Image.Image) -> None:
    """Write a picture atomically, as PNG or JPEG by the suffix of `path`.

    Raises:
        InputError: another suffix, or no path.
        OutputError: the picture cannot be encoded or the file cannot be written.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"cannot write a picture to {type(path).__name__}: give a path, or save overlay() yourself")
    suffix = Path(path).suffix.lower()
    if suffix not in _OPTIONS:
        raise InputError(f"cannot write {printable(path)}: expected a name that ends in {', '.join(_OPTIONS)}")
    kind, options = _OPTIONS[suffix]
    try:
        data = _encoded(image, kind, options)
    except (OSError, ValueError) as error:  # JPEG ends at 65,535 pixels a side
        raise OutputError(f"cannot write {printable(path)} as {kind}: {error}; write a .png file") from error
    write_bytes(path, data)


def thumbnail_data_uri(image: Image.Image, max_side: int = 320, quality: int = 80) -> str:
    """:func:`thumbnail_jpeg` as a data URI."""
    return jpeg_data_uri(thumbnail_jpeg(image, max_side, quality))


def jpeg_data_uri(data: bytes) -> str:
    """The bytes of a JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def thumbnail_jpeg(image: Image.Image, max_side: int = 320, quality: int = 80) -> bytes:
    """A JPEG of the picture, scaled down to fit `max_side` x `max_side` pixels (never up)."""
    if max_side < 1:
        raise InputError(f"max_side is {max_side}, expected at least 1")
    scale = min(1.0, max_side / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    # reducing_gap: shrink by whole factors first, ten times faster on large pictures and not visible at this size.
    small = image.convert("RGB") if image.mode != "RGB" else image
    if size != image.size:
        small = small.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return _encoded(small, "JPEG", {"quality": quality})


def png_bytes(image: Image.Image) -> bytes:
    """A PNG, as `write_image` writes it."""
    return _encoded(image, "PNG", PNG)


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    if kind == "PNG" and image.mode == "RGB" and min(image.size) and not image.info.keys() & _PNG_HOLDS:
        return rgb_png(np.asarray(image))
    buffer = io.BytesIO()
    (image.convert("RGB") if kind == "JPEG" and image.mode != "RGB" else image).save(buffer, kind, **options)
    return buffer.getvalue()
