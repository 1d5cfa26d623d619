"""A DICOM object of 10 x 10 pixels whose JPEG holds 13,000 x 13,000: the decoder takes half a gigabyte for it."""

from __future__ import annotations

import io

from dicom_object import JPEG, dicom, encapsulated
from PIL import Image
from shown import show


def make(side: int = 13_000) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "JPEG")
    return dicom(encapsulated(buffer.getvalue()), JPEG)


if __name__ == "__main__":
    show(make)
