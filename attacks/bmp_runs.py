"""A run-length-coded BMP that ends each of 9,000 rows after one pixel: Pillow fills them up byte by byte."""

from __future__ import annotations

import struct

from shown import show


def make(side: int = 9000) -> bytes:
    body = b"\1\1\0\0" * side + b"\0\1"
    start = 54 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0)
    return head + info + bytes(1024) + body


if __name__ == "__main__":
    show(make)
