"""An EXIF note whose tags all claim the same bytes, in a small WebP."""

from __future__ import annotations

from pieces import many_tags, picture
from shown import show


def make(size: int = 8_000_000, tags: int = 200) -> bytes:
    return picture("WEBP", exif=many_tags(tags, size))


if __name__ == "__main__":
    show(make)
