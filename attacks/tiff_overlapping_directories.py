"""Directories of 4,096 tags each that lie six bytes apart: 170 kB of file, 30 million tags to look at."""

from __future__ import annotations

import struct

from shown import show

FIRST = 70_000  # so that no part of an offset reads as a tag that is looked at


def make(number: int = 8000, tags: int = 4096) -> bytes:
    table = 12 * tags
    out = bytearray(struct.pack("<2sHI", b"II", 42, FIRST) + bytes(FIRST + 6 * number + table))
    for which in range(number):
        place = FIRST + 6 * which
        struct.pack_into("<H", out, place, tags)
        struct.pack_into("<I", out, place + 2 + table, place + 6 if which + 1 < number else 0)
    return bytes(out)


if __name__ == "__main__":
    show(make)
