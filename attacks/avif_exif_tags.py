"""An EXIF note whose tags all claim the same bytes, in a small AVIF."""

from __future__ import annotations

import warnings

from pieces import many_tags, picture
from shown import show


def make(size: int = 8_000_000, tags: int = 200) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow looks at what it writes
        return picture("AVIF", exif=many_tags(tags, size))


if __name__ == "__main__":
    show(make)
