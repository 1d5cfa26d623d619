"""Parts of hostile files: TIFF directories, PNG chunks, JPEG segments."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

Entry = tuple[int, int, int, int]  # tag, type, count, value or offset


def tiff(entries: list[Entry], place: int = 8, before: bytes = b"", following: int = 0) -> bytes:
    """Header, `before`, and one little-endian directory at `place`."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    body = struct.pack("<H", len(entries)) + table + struct.pack("<I", following)
    return struct.pack("<2sHI", b"II", 42, place) + before.ljust(place - 8, b"\0") + body


def grey_page(width: int = 8, height: int = 8, **more: int) -> list[Entry]:
    """A grey 8-bit page whose one uncompressed strip starts at byte 8; `t259=8` sets tag 259."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    tags |= {int(name[1:]): value for name, value in more.items()}
    return [(tag, 4, 1, value) for tag, value in tags.items()]


def many_tags(number: int, size: int) -> bytes:
    """A TIFF directory (as EXIF notes are) of `number` tags that all claim the same `size` bytes."""
    place = 8 + 2 + 12 * number + 4
    return tiff([(1000 + tag, 7, size, place) for tag in range(number)]) + b"\0" * size


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def picture(kind: str, **options: object) -> bytes:
    """A small RGB picture in one of Pillow's formats."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 120, 150)).save(buffer, kind, **options)
    return buffer.getvalue()
