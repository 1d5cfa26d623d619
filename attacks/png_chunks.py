"""Two million empty chunks of pixels in a small PNG."""

from __future__ import annotations

import struct
import zlib

from pieces import chunk
from shown import show


def make(number: int = 2_000_000) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(72)))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") * number + pixels + chunk(b"IEND", b"")


if __name__ == "__main__":
    show(make)
