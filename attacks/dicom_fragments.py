"""A compressed DICOM frame in two million fragments of no bytes."""

from __future__ import annotations

from dicom_object import JPEG, dicom, encapsulated
from shown import show


def make(number: int = 2_000_000) -> bytes:
    return dicom(encapsulated(*[b""] * number), JPEG)


if __name__ == "__main__":
    show(make)
