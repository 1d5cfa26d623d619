"""GIF: blocks walked by ourselves, pixels decoded by Pillow from the blocks that pictures need.

Pillow joins the parts of a comment one by one, which takes hours for a long one; comments and applications' blocks stay
out, and the number of parts is bounded, as each costs its microsecond however short it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_PARTS = 1_000_000  # of 255 bytes as all encoders write them: 255 MB
_EXTENSION, _IMAGE, _TRAILER, _GRAPHIC_CONTROL = 0x21, 0x2C, 0x3B, 0xF9


@dataclass(frozen=True)
class GifFacts:
    """(width, height) that the pictures need: the screen, or a picture that reaches further. stream: pictures alone."""

    width: int
    height: int
    frames: int
    stream: bytes


def read_facts(file: BinaryIO) -> GifFacts:
    """Walk the blocks up to the trailer, or to the end of a file that is cut off in its pixels. Raises `Refusal`."""
    file.seek(0)
    data = file.read()
    try:
        return _facts(data)
    except (IndexError, struct.error) as error:
        raise truncated() from error


def _facts(data: bytes) -> GifFacts:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _palette(flags)
    kept, frames, parts = [data[:position]], 0, 0
    while position < len(data) and data[position] != _TRAILER:
        start = position
        if data[start] == _EXTENSION:
            wanted, position = data[start + 1] == _GRAPHIC_CONTROL, start + 2
        elif data[start] == _IMAGE:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, start + 1)
            width, height = max(width, left + wide), max(height, top + high)
            wanted, position = True, start + 11 + _palette(flags)
            frames += 1
        else:
            break  # whatever follows whole pictures is no picture
        while position < len(data) and (length := data[position]):
            position += length + 1
            parts += 1
            if parts > _MOST_PARTS:
                raise Refusal(f"its GIF is cut into more than {_MOST_PARTS:,} parts", EXPORT_AGAIN)
        position += 1
        if wanted:
            kept.append(data[start:position])
    if not frames:
        if position > len(data):
            raise truncated()
        raise Refusal("this GIF holds no image", EXPORT_AGAIN)
    return GifFacts(width, height, frames, b"".join(kept) + (b";" if position < len(data) else b""))


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
