"""A comment of 40 MB in a small GIF, whose parts Pillow joins one by one: hours, as each joins all before it."""

from __future__ import annotations

from pieces import picture
from shown import show


def make(size: int = 40_000_000) -> bytes:
    whole = picture("GIF")
    start = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1))
    return whole[:start] + b"!\xfe" + (b"\xff" + b"x" * 255) * (size // 255) + b"\0" + whole[start:]


if __name__ == "__main__":
    show(make)
