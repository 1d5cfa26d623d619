"""Headers that lie, and the message they must get."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image


def problem(path: Path | str, read=read_image, **options) -> str:
    """The message, without the path that it must start with."""
    with pytest.raises(ImageReadError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert ": " in message
    assert "; " in message  # the remedy
    if "\0" not in str(path):
        assert message.startswith(f"{path}: ")
    return message.split(": ", 1)[1]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff_header(width: int, height: int, **tags: tuple[int, ...]) -> bytes:
    entries = {256: (width,), 257: (height,), 258: (8,), 262: (1,), 277: (1,), 273: (8,), 279: (1,)}
    entries |= {int(tag[1:]): values for tag, values in tags.items()}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, *values) for tag, values in sorted(entries.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + b"\0\0\0\0"
