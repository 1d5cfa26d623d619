"""A GIF cut into three million parts of one byte."""

from __future__ import annotations

from pieces import picture
from shown import show


def make(number: int = 3_000_000) -> bytes:
    whole = picture("GIF")
    start = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1))
    return whole[: start + 11] + b"\1\0" * number + b"\0;"


if __name__ == "__main__":
    show(make)
