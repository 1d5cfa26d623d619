"""A strip of 400 kB that inflates to 400 MB, for a picture of 64 pixels."""

from __future__ import annotations

import zlib

from pieces import grey_page, tiff
from shown import show


def make(size: int = 400_000_000) -> bytes:
    packer = zlib.compressobj(9)
    strip = b"".join(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + packer.flush()
    place = 8 + len(strip)
    return tiff(grey_page(t259=8, t279=len(strip)), place, strip)


if __name__ == "__main__":
    show(make)
