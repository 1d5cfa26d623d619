"""A DICOM sequence of two million empty items, 8 bytes each: every one becomes an object of a kilobyte."""

from __future__ import annotations

import struct

from dicom_object import UNDEFINED, dicom, element, item
from shown import show


def make(number: int = 2_000_000) -> bytes:
    items = item(b"") * number + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return dicom(b"\0" * 100, more={0x00081115: element(0x00081115, "SQ", items, UNDEFINED)})


if __name__ == "__main__":
    show(make)
