"""PNG with 16 bits per channel: its chunks checked by ourselves, decoded by OpenCV, as Pillow keeps 8 bits only."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from anomalyclip.io.depth import Raster
from anomalyclip.io.opencv import decode_unchanged
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_NEEDED = (b"IHDR", b"tRNS", b"IDAT", b"IEND")


def bit_depth(file: BinaryIO) -> int:
    """Bits per channel in a PNG's header, at byte 24. Leaves the file where it was."""
    position = file.tell()
    file.seek(24)
    depth = file.read(1)[0]
    file.seek(position)
    return depth


def decode_deep(file: BinaryIO) -> Raster:
    """Pixels of a 16-bit PNG whose size was checked already.

    The decoder gets the chunks that pixels need and no others: OpenCV would allocate whatever length a damaged chunk
    declares (gigabytes), and would take the frames of an animation for pages.
    """
    file.seek(0)
    data = file.read()
    return decode_unchanged(data[:8] + b"".join(_chunks(data)), "PNG")


def _chunks(data: bytes) -> Iterator[bytes]:
    position, kind = 8, b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise truncated()
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise truncated(f"a chunk ends at byte {end:,}, the file at {len(data):,}")
        if kind in _NEEDED:
            if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise Refusal("the image is damaged (a checksum is wrong)", EXPORT_AGAIN)
            if kind == b"IHDR" and position != 8:
                raise Refusal("the image is damaged (two headers)", EXPORT_AGAIN)
            yield data[position:end]
        position = end
