"""TIFF and BigTIFF: directories, layouts, chunks and colours read by ourselves, libraries as codecs only.

Pillow reads 8-bit TIFFs and cuts deeper ones to the upper byte; OpenCV reads deep ones and not half floats, planes,
bands or packed 12 bits; tifffile needs some forty codec libraries for what one of them, LZW, gives here; all of them
trust the directory. So the container is ours: see `directory` for its bounds, `layout` for what is read and refused.
"""

from __future__ import annotations

from typing import BinaryIO

from anomalyclip.io import ifd as directory
from anomalyclip.io.depth import Raster
from anomalyclip.io.ifd import Directory
from anomalyclip.io.tiff.chunks import read_samples
from anomalyclip.io.tiff.colour import lab_to_rgb, to_raster
from anomalyclip.io.tiff.layout import Layout, read_layout


def page_at(file: BinaryIO, place: int) -> Directory:
    """The directory at byte `place` of a TIFF. Raises `Refusal`."""
    container, _ = directory.open_container(file)
    return directory.read_directory(file, container, place)


def decode(file: BinaryIO, page: Directory, layout: Layout) -> Raster:
    """The pixels of a page at the file's own depth; its orientation (`layout.orientation`) is still to be applied."""
    return to_raster(read_samples(file, page, layout), file, page, layout)


__all__ = ["Directory", "Layout", "decode", "lab_to_rgb", "page_at", "read_layout"]
