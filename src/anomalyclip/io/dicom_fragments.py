"""Where the compressed frames of a DICOM file lie: its fragments, by its tables or by their first bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from anomalyclip.io.dicom_structure import DicomFile, value
from anomalyclip.io.memo import Memo
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_FRAGMENTS = 1_000_000


@dataclass(frozen=True)
class Fragments:
    """Where each encapsulated frame's bytes lie: (offset, length) of its fragments."""

    frames: tuple[tuple[tuple[int, int], ...], ...]


_known: Memo[Fragments] = Memo(2)


def fragments_of(file: BinaryIO, parsed: DicomFile, frames: int) -> Fragments:
    """Those of a file whose tags claim so many frames; found once. Raises `Refusal` where it holds others."""
    return _known.of(file, lambda: _found(parsed.source(file), parsed, frames))


def _found(source: BinaryIO, parsed: DicomFile, frames: int) -> Fragments:
    if parsed.length is not None:
        raise Refusal("its transfer syntax is encapsulated, its pixel data is not", EXPORT_AGAIN)
    order = "<" if parsed.little else ">"
    source.seek(parsed.offset)
    table = _item(source, order, parsed.end)
    if table is None:
        raise truncated("its pixel data holds no frame")
    items: list[tuple[int, int]] = []
    source.seek(table[0] + table[1])
    while (item := _item(source, order, parsed.end)) is not None:
        items.append(item)
        source.seek(item[0] + item[1])
        if len(items) > _MOST_FRAGMENTS:
            raise Refusal(f"its pixel data is in more than {_MOST_FRAGMENTS:,} pieces", EXPORT_AGAIN)
    starts = _frame_starts(source, parsed, frames, table, items)
    if len(starts) != frames:
        raise Refusal(
            f"it holds {len(starts):,} compressed frames, its tags claim {frames:,}",
            EXPORT_AGAIN,
        )
    return Fragments(tuple(tuple(items[a:b]) for a, b in pairwise([*starts, len(items)])))


def _item(source: BinaryIO, order: str, end: int) -> tuple[int, int] | None:
    """Where the next item's bytes lie; None at the end of the sequence. Raises `Refusal` for one that is cut off."""
    head = source.read(8)
    if len(head) < 8 or head[:4] == struct.pack(f"{order}HH", 0xFFFE, 0xE0DD):
        return None
    group, element, length = struct.unpack(f"{order}HHI", head)
    if (group, element) != (0xFFFE, 0xE000) or length == 0xFFFFFFFF:
        raise Refusal("its pixel data is no sequence of items", EXPORT_AGAIN)
    here = source.tell()
    if here + length > end:
        raise truncated(f"a compressed frame ends at byte {here + length:,}, the file at {end:,}")
    return here, length


def _frame_starts(
    source: BinaryIO, parsed: DicomFile, frames: int, table: tuple[int, int], items: list[tuple[int, int]]
) -> list[int]:
    """Which fragments begin a frame: by the offset table, one each, or by how their bytes begin."""
    offsets = _table(source, parsed, frames, table)
    if offsets:
        # Offsets count from the first item's tag, 8 bytes before its bytes.
        places = {offset - items[0][0]: number for number, (offset, _) in enumerate(items)} if items else {}
        if any(offset not in places for offset in offsets) or offsets != sorted(set(offsets)) or offsets[0]:
            raise Refusal("its table of frames points between its frames", EXPORT_AGAIN)
        return [places[offset] for offset in offsets]
    if frames == 1:
        return [0] if items else []
    if frames == len(items):
        return list(range(len(items)))
    return [number for number, (offset, _) in enumerate(items) if _begins_frame(source, offset)]


def _table(source: BinaryIO, parsed: DicomFile, frames: int, table: tuple[int, int]) -> list[int]:
    """The offsets of the basic or the extended table, [] without one. Raises `Refusal` where it is not of `frames`."""
    extended = value(parsed.data, "ExtendedOffsetTable")
    code = "<u8" if extended else "<u4" if parsed.little else ">u4"
    length = len(extended) if extended else table[1]
    if not length:
        return []
    if length != frames * (8 if extended else 4):
        raise Refusal(f"its table of frames has {length:,} bytes, its tags claim {frames:,} frames", EXPORT_AGAIN)
    source.seek(table[0])
    raw = extended or source.read(length)
    return [int(offset) for offset in np.frombuffer(raw, code).tolist()]


def _begins_frame(source: BinaryIO, offset: int) -> bool:
    source.seek(offset)
    head = source.read(4)
    return head[:2] == b"\xff\xd8" or head == b"\xff\x4f\xff\x51"
