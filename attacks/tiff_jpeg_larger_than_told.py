"""A JPEG strip of 169 megapixels in a TIFF that says 8 x 8."""

from __future__ import annotations

import struct

from pieces import grey_page, segment, tiff
from shown import show


def make(side: int = 13_000) -> bytes:
    frame = segment(0xC0, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    table = segment(0xDB, b"\0" + b"\1" * 64)
    codes = b"".join(segment(0xC4, which + bytes([1] + [0] * 15) + b"\0") for which in (b"\0", b"\x10"))
    blocks = (-(-side // 8)) ** 2
    strip = b"\xff\xd8" + table + frame + codes + segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(blocks // 4) + b"\xff\xd9"
    return tiff(grey_page(t259=7, t279=len(strip)), 8 + len(strip), strip)


if __name__ == "__main__":
    show(make)
