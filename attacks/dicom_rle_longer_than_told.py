"""A DICOM object of 10 x 10 pixels whose RLE segment unpacks to half a gigabyte."""

from __future__ import annotations

import struct

from dicom_object import RLE, dicom, encapsulated
from shown import show


def make(runs: int = 4_000_000) -> bytes:
    return dicom(encapsulated(struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * runs), RLE)


if __name__ == "__main__":
    show(make)
