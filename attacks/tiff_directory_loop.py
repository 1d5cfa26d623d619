"""A page that names itself as the next one: a reader that follows never ends."""

from __future__ import annotations

from pieces import grey_page, tiff
from shown import show


def make() -> bytes:
    return tiff(grey_page(), 72, b"\x80" * 64, following=72)


if __name__ == "__main__":
    show(make)
