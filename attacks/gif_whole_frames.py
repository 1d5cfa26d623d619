"""A GIF of 3,000 frames of one pixel in a picture of 49 megapixels: every row costs the whole picture."""

from __future__ import annotations

import struct

from shown import show


def make(number: int = 3000, side: int = 7000) -> bytes:
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HH", side, side) + b"\0\0\0" + frame * number + b"\x3b"


if __name__ == "__main__":
    show(make)
