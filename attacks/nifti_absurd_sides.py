"""A NIfTI header of 348 bytes whose sides make petabytes."""

from __future__ import annotations

import struct

from shown import show


def header(*sides: int) -> bytearray:
    raw = bytearray(352)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, len(sides), *sides, *[1] * (7 - len(sides)))
    struct.pack_into("<hh", raw, 70, 2, 8)
    struct.pack_into("<8f", raw, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", raw, 108, 352)
    raw[344:348] = b"n+1\0"
    return raw


def make() -> bytes:
    return bytes(header(8000, 8000, 32767, 32767))


if __name__ == "__main__":
    show(make)
