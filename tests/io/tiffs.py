"""TIFF files written tag by tag."""

from __future__ import annotations

import io
import struct

from anomalyclip.io.inspection import read_header
from anomalyclip.io.tiff import decode


def raster(data: bytes):
    file = io.BytesIO(data)
    return decode(file, *read_header(file, 10**8).facts)


def tiff(tags: dict[int, tuple[str, tuple]], *pieces: bytes, where: int = 273, sizes: int = 279) -> bytes:
    """A little-endian TIFF of chosen tags and compressed pieces, by hand."""
    out, places = bytearray(struct.pack("<2sHI", b"II", 42, 0)), []
    for piece in pieces:
        places.append(len(out))
        out += piece + b"\0" * (len(piece) % 2)
    tags = tags | {where: ("I", tuple(places)), sizes: ("I", tuple(map(len, pieces)))}
    table = b""
    for tag, (code, values) in sorted(tags.items()):
        field = struct.pack(f"<{len(values)}{code}", *values)
        kind, count = {"B": 1, "H": 3, "I": 4, "f": 11}[code], len(values)
        if len(field) > 4:
            field, place = struct.pack("<I", len(out)), field
            out += place + b"\0" * (len(place) % 2)
        table += struct.pack("<HHI", tag, kind, count) + field.ljust(4, b"\0")
    struct.pack_into("<I", out, 4, len(out))
    return bytes(out) + struct.pack("<H", len(tags)) + table + b"\0" * 4


def size(width: int, height: int, bits: int = 8, photometric: int = 1, **more: int) -> dict[int, tuple[str, tuple]]:
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: 1, 278: height}
    return {tag: ("I", (value,)) for tag, value in tags.items()} | {int(k[1:]): ("I", (v,)) for k, v in more.items()}
