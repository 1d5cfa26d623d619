"""3,000 frames of 49 megapixels, each a fragment of some bytes: an hour for who asks a decoder about each of them."""

from __future__ import annotations

import dicom_object as parts
from shown import show


def make(number: int = 3000, side: int = 7000) -> bytes:
    frame = b"\xff\x4f\xff\x51" + bytes(60)
    pixels = parts.encapsulated(*[frame] * number)
    return parts.dicom(pixels, parts.JPEG2000, rows=side, columns=side, frames=number)


if __name__ == "__main__":
    show(make)
