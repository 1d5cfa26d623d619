"""A DICOM object of 10 x 10 pixels whose JPEG 2000 codestream, of 60 bytes, says 60,000 x 60,000."""

from __future__ import annotations

import struct

from dicom_object import JPEG2000, dicom, encapsulated
from shown import show


def make(side: int = 60_000) -> bytes:
    size = struct.pack(">HIIIIIIIIHBBB", 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size
    return dicom(encapsulated(stream + b"\xff\xd9"), JPEG2000)


if __name__ == "__main__":
    show(make)
