"""DICOM sequences nested ten thousand deep: a reader that calls itself for each runs out of its stack."""

from __future__ import annotations

import struct

from dicom_object import UNDEFINED, dicom, element
from shown import show


def make(depth: int = 10_000) -> bytes:
    step = element(0x00081115, "SQ", b"", UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
    return dicom(b"\0" * 100, more={0x00081115: step * depth})


if __name__ == "__main__":
    show(make)
