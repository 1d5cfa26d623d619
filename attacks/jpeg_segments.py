"""Ten million empty comments before a small JPEG: each costs its microsecond and no pixel."""

from __future__ import annotations

from pieces import picture, segment
from shown import show


def make(number: int = 5_000_000) -> bytes:
    whole = picture("JPEG")
    return whole[:2] + segment(0xFE, b"") * number + whole[2:]


if __name__ == "__main__":
    show(make)
