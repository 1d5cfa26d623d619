"""An animated PNG of 3,000 frames of one pixel in a picture of 49 megapixels: every row costs the whole picture."""

from __future__ import annotations

import struct
import zlib

from pieces import chunk
from shown import show


def make(number: int = 3000, side: int = 7000) -> bytes:
    point = zlib.compress(b"\0\0\0\0")
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", number, 0)))
    for frame in range(number):
        size = side if frame == 0 else 1  # the first one is the picture for whoever knows no animations
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * frame, size, size, 0, 0, 1, 1, 0, 0)))
        kind, head = (b"fdAT", struct.pack(">I", 2 * frame + 1)) if frame else (b"IDAT", b"")
        parts.append(chunk(kind, head + point))
    return b"".join([*parts, chunk(b"IEND", b"")])


if __name__ == "__main__":
    show(make)
