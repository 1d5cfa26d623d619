"""Texts and a profile of a small PNG that inflate to hundreds of megabytes."""

from __future__ import annotations

import zlib

from pieces import chunk, picture
from shown import show


def make(size: int = 200_000_000) -> bytes:
    whole = picture("PNG")
    packed = zlib.compress(bytes(size), 9)
    notes = chunk(b"iCCP", b"x\0\0" + packed) + chunk(b"zTXt", b"x\0\0" + packed) * 5
    return whole[:33] + notes + whole[33:]


if __name__ == "__main__":
    show(make)
