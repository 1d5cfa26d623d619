"""Masks of files, undecided (see `mask_levels`), and what their headers say."""

from __future__ import annotations

import io

from anomalyclip.errors import ImageReadError
from anomalyclip.io import attempts, frames, images, inspection
from anomalyclip.io.apart import decoders_for
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS
from anomalyclip.io.mask_levels import MaskLevels, levels_in
from anomalyclip.io.names import StrPath
from anomalyclip.io.opened import reported, use_file


def read_mask_levels(
    path: StrPath, *, max_pixels: int = DEFAULT_MAX_PIXELS, max_bytes: int = DEFAULT_MAX_BYTES
) -> MaskLevels:
    """Read a mask file without deciding what it marks. Raises ImageReadError."""
    path, frame = frames.split_frame(path)
    with attempts.reading(path), decoders_for(path) as elsewhere:
        if elsewhere is not None:
            return elsewhere.levels(path, frame=frame, max_pixels=max_pixels)
        return use_file(path, lambda file: levels_in(file, max_pixels, frame), max_bytes)


def mask_levels_of(data: bytes, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> MaskLevels:
    """The same for a mask held in memory; `name` stands in the messages. Raises ImageReadError."""
    with decoders_for(data) as elsewhere:
        if elsewhere is not None:
            return elsewhere.levels(data, name=name, max_pixels=max_pixels)
        return reported(name, lambda: levels_in(io.BytesIO(data), max_pixels, None))


def stored_orientation(path: StrPath, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[int, tuple[int, int]]:
    """(EXIF orientation, (width, height) as stored, before it is applied) from the header; 1 is upright.

    Raises ImageReadError.
    """
    path, frame = frames.split_frame(path)
    header = use_file(path, lambda file: inspection.read_header(file, max_pixels, frame or 0), DEFAULT_MAX_BYTES)
    return header.orientation, (header.width, header.height)


def shown_size(path: StrPath) -> tuple[int, int] | None:
    """(width, height) of the upright picture; None where its header cannot be read, which is told when it is used."""
    try:
        return images.image_size(path)
    except ImageReadError:
        return None
