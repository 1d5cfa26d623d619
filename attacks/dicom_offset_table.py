"""A table of frames of 40 MB for a DICOM object of one frame: as Python's integers it is a gigabyte."""

from __future__ import annotations

from dicom_object import JPEG, dicom, encapsulated
from shown import show


def make(length: int = 40_000_000) -> bytes:
    return dicom(encapsulated(b"\xff\xd8\xff\xd9", table=b"\0" * length), JPEG)


if __name__ == "__main__":
    show(make)
