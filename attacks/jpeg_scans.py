"""A progressive JPEG of one flat colour, 49 megapixels in 9 MB, that refines its coefficients 500 times."""

from __future__ import annotations

import struct

from pieces import segment
from shown import show


def make(side: int = 7000, scans: int = 500) -> bytes:
    blocks = (-(-side // 8)) ** 2
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    # One code each: a difference of zero; an end of band over 2**14 blocks and more.
    codes = segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0")
    codes += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    first = segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8))
    bits = "0" * 15 * -(-blocks // 16384)
    runs = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8), "big")
    coarse, again = (segment(0xDA, b"\1\1\0\1\x3f" + step) + runs for step in (b"\1", b"\x10"))
    return b"\xff\xd8" + head + codes + first + coarse + again * scans + b"\xff\xd9"


if __name__ == "__main__":
    show(make)
