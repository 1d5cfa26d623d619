"""A GIF of 200,000 frames of one pixel: a row for each, and every one drawn over all before it."""

from __future__ import annotations

from pieces import picture
from shown import show


def make(number: int = 200_000) -> bytes:
    whole = picture("GIF")
    start = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1))
    return whole[:start] + whole[start:-1] * number + b";"


if __name__ == "__main__":
    show(make)
