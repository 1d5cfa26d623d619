"""The boxes of ISO files (HEIF, JPEG 2000) as they follow each other; what is inside them is others' concern."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

_MOST_BOXES = 10_000
AV1_BRANDS = frozenset((b"avif", b"avis", b"avio", b"MA1A", b"MA1B"))
"""Of files whose pixels are AV1 (AVIF, 6 and 8)."""


def child(data: memoryview, kind: bytes) -> memoryview:
    """The body of the first box of that kind; empty where there is none. Raises `Refusal`."""
    return next((data[start:end] for name, start, end in top_level(data) if name == kind), data[:0])


def top_level(data: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of its body, its end) of the boxes that follow each other."""
    position = 0
    for _ in range(_MOST_BOXES):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1 and position + 16 <= len(data):
            length, start = struct.unpack_from(">Q", data, position + 8)[0], position + 16
        end = position + length if length else len(data)
        if end < start:
            raise Refusal("its boxes are damaged", EXPORT_AGAIN)
        yield kind, start, end
        position = end
    raise Refusal(f"it has more than {_MOST_BOXES:,} boxes", EXPORT_AGAIN)
