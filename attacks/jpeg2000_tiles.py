"""A JPEG 2000 of 64 megapixels in tiles of one pixel each."""

from __future__ import annotations

import struct

from pieces import segment
from shown import show


def make(side: int = 8000) -> bytes:
    size = struct.pack(">H8IH", 0, side, side, 0, 0, 1, 1, 0, 0, 1) + b"\7\1\1"
    return b"\xff\x4f" + segment(0x51, size) + segment(0x52, bytes(10)) + segment(0x5C, bytes(2)) + b"\xff\xd9"


if __name__ == "__main__":
    show(make)
