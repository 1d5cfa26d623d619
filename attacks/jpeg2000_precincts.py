"""A JPEG 2000 of 64 megapixels in precincts of one pixel each: 100 bytes of file, gigabytes of tables."""

from __future__ import annotations

import struct

from pieces import segment
from shown import show


def make(side: int = 8000) -> bytes:
    size = struct.pack(">H8IH", 0, side, side, 0, 0, side, side, 0, 0, 1) + b"\7\1\1"
    coding = bytes([1]) + struct.pack(">BHB", 0, 1, 0) + bytes([0, 4, 4, 0, 1, 0x00])
    head = b"\xff\x4f" + segment(0x51, size) + segment(0x52, coding) + segment(0x5C, bytes([0x40, 0x40]))
    part = segment(0x90, struct.pack(">HIBB", 0, 0, 0, 1)) + b"\xff\x93" + bytes(64)
    return head + part + b"\xff\xd9"


if __name__ == "__main__":
    show(make)
