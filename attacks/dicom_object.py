"""Parts of hostile DICOM files, written byte by byte."""

from __future__ import annotations

import struct

EXPLICIT, DEFLATED, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, JPEG2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"
_LONG = ("OB", "OW", "SQ", "UN")
UNDEFINED = 0xFFFFFFFF


def element(tag: int, kind: str, value: bytes, length: int | None = None) -> bytes:
    """One explicit little-endian element; `length` may lie."""
    value += b"\0" * (len(value) % 2)
    told = len(value) if length is None else length
    size = struct.pack("<2xI", told) if kind in _LONG else struct.pack("<H", told)
    return struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind.encode()) + size + value


def item(value: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def encapsulated(*fragments: bytes, table: bytes = b"") -> bytes:
    """The value of compressed pixel data: a table of frames, then the fragments."""
    return item(table) + b"".join(map(item, fragments)) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def dicom(
    pixels: bytes,
    syntax: str = EXPLICIT,
    *,
    rows: int = 10,
    columns: int = 10,
    frames: int | None = None,
    kind: str = "MONOCHROME2",
    more: dict[int, bytes] | None = None,
) -> bytes:
    """A grey 8-bit object. more: elements by their tags, as they stand in the file."""
    meta = element(0x00020010, "UI", syntax.encode())
    parts = {
        0x00080016: element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
        0x00280002: element(0x00280002, "US", struct.pack("<H", 1)),
        0x00280004: element(0x00280004, "CS", kind.encode().ljust(len(kind) + len(kind) % 2)),
        0x00280010: element(0x00280010, "US", struct.pack("<H", rows)),
        0x00280011: element(0x00280011, "US", struct.pack("<H", columns)),
        0x00280100: element(0x00280100, "US", struct.pack("<H", 8)),
        0x00280101: element(0x00280101, "US", struct.pack("<H", 8)),
        0x00280102: element(0x00280102, "US", struct.pack("<H", 7)),
        0x00280103: element(0x00280103, "US", struct.pack("<H", 0)),
    }
    if frames is not None:
        number = str(frames).encode()
        parts[0x00280008] = element(0x00280008, "IS", number.ljust(len(number) + len(number) % 2))
    parts |= more or {}
    compressed = syntax not in (EXPLICIT, DEFLATED)
    parts[0x7FE00010] = element(0x7FE00010, "OB", pixels, UNDEFINED if compressed else None)
    body = b"".join(part for _, part in sorted(parts.items()))
    if syntax == DEFLATED:
        import zlib

        packer = zlib.compressobj(9, wbits=-15)
        body = packer.compress(body) + packer.flush()
    length = element(0x00020000, "UL", struct.pack("<I", len(meta)))
    return b"\0" * 128 + b"DICM" + length + meta + body
