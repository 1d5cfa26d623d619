"""A legal picture of 49 megapixels as 64-bit float RGB: 1.2 GB of samples in a file of a few megabytes."""

from __future__ import annotations

import zlib

from pieces import tiff
from shown import show


def make(side: int = 7000) -> bytes:
    packer = zlib.compressobj(1)
    row = bytes(24 * side)
    strip = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    place = 8 + len(strip) + len(strip) % 2
    tags = {256: side, 257: side, 258: 64, 259: 8, 262: 2, 273: 8, 277: 3, 278: side, 279: len(strip), 339: 3}
    return tiff([(tag, 4, 1, value) for tag, value in tags.items()], place, strip)


if __name__ == "__main__":
    show(make)
