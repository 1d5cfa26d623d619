"""PNG files that no library writes."""

from __future__ import annotations

import struct
import zlib


def paletted(size: tuple[int, int], rows: list[bytes], palette: bytes, depth: int = 8) -> bytes:
    """A PNG of colour numbers. size: (width, height); rows: packed numbers; palette: R, G, B of each colour."""
    header = struct.pack(">IIBBBBB", *size, depth, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
