"""A DICOM object of 100 bytes that claims two thousand million frames: a list of them fills the memory."""

from __future__ import annotations

from dicom_object import dicom
from shown import show


def make(frames: int = 2**31 - 1) -> bytes:
    return dicom(b"\0" * 100, frames=frames)


if __name__ == "__main__":
    show(make)
