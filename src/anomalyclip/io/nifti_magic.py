"""Whether a file is a NIfTI volume, packed or not, by its first bytes; without a library, as every scan asks."""

from __future__ import annotations

import zlib
from typing import BinaryIO

GZIP = b"\x1f\x8b"
_HEAD = 544  # bytes of the longer header, with its extension mark


def looks_like_nifti(file: BinaryIO, head: bytes) -> bool:
    """Whether an open file, packed or not, begins with a NIfTI header; rewinds it. head: its first bytes."""
    if head[:2] != GZIP and head[:4] not in (b"\x5c\1\0\0", b"\0\0\1\x5c", b"\x1c\2\0\0", b"\0\0\2\x1c"):
        return False
    try:
        start = first_bytes(file)
    finally:
        file.seek(0)
    return start[344:347] in (b"n+1", b"ni1") or start[4:7] in (b"n+2", b"ni2")


def first_bytes(file: BinaryIO) -> bytes:
    """The first bytes once they are unpacked; b"" where they cannot be."""
    file.seek(0)
    raw = file.read(4096)
    if raw[:2] != GZIP:
        return raw[:_HEAD]
    try:
        return zlib.decompressobj(31).decompress(raw, _HEAD)
    except zlib.error:
        return b""
