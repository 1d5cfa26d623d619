"""An EXIF note whose tags all claim the same bytes, in a small JPEG: Pillow copies them once for each tag."""

from __future__ import annotations

from pieces import many_tags, picture, segment
from shown import show


def make(size: int = 4_000_000, tags: int = 400) -> bytes:
    whole, note = picture("JPEG"), many_tags(tags, size)
    parts = [segment(0xE1, b"Exif\0\0" + note[at : at + 65_000]) for at in range(0, len(note), 65_000)]
    return whole[:2] + b"".join(parts) + whole[2:]


if __name__ == "__main__":
    show(make)
