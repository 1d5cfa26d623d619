"""An EXIF note whose tags all claim the same bytes, in a small PNG."""

from __future__ import annotations

from pieces import chunk, many_tags, picture
from shown import show


def make(size: int = 8_000_000, tags: int = 200) -> bytes:
    whole = picture("PNG")
    return whole[:33] + chunk(b"eXIf", many_tags(tags, size)) + whole[33:]


if __name__ == "__main__":
    show(make)
