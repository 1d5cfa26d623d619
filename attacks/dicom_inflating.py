"""A deflated DICOM object of 2 MB that inflates to 2 GB."""

from __future__ import annotations

from dicom_object import DEFLATED, dicom
from shown import show


def make(length: int = 2_000_000_000) -> bytes:
    import zlib

    whole = dicom(b"", DEFLATED)
    start = whole.index(b"\xff\xff", 400) if b"\xff\xff" in whole[400:] else len(whole)
    head = zlib.decompressobj(-15).decompress(whole[whole.index(DEFLATED.encode()) + 22 :])
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(head) + b"".join(packer.compress(b"\0" * 10_000_000) for _ in range(length // 10_000_000))
    return whole[: min(start, whole.index(DEFLATED.encode()) + 22)] + body + packer.flush()


if __name__ == "__main__":
    show(make)
