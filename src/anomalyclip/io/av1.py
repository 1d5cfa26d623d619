"""The sizes that the AV1 streams of an AVIF file say they have: decoders trust these, not the file's boxes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_SEQUENCE_HEADER = 1  # type of the unit that says how large frames may be
_START = 512  # bytes of a stream in which it stands
_MOST_ITEMS = 10_000


def stream_sizes(file: BinaryIO, locations: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """(width, height) of the largest frame of every item that begins as an AV1 stream.

    locations: the body of the file's `iloc` box. Items that are no stream (EXIF, metadata) give nothing.
    """
    for offset in _offsets(bytes(locations)):
        file.seek(offset)
        if (size := sequence_size(file.read(_START))) is not None:
            yield size


def sequence_size(data: bytes) -> tuple[int, int] | None:
    """What the first sequence header of a stream of OBUs says (AV1 specification, 5.5.1); None where there is none."""
    position = 0
    while position < len(data):
        head = data[position]
        kind, extended, sized = head >> 3 & 15, head & 4, head & 2
        if head & 0x80 or not sized:
            return None
        position += 2 if extended else 1
        length, position = _leb128(data, position)
        if kind == _SEQUENCE_HEADER:
            try:
                return _frame_size(_Bits(data[position : position + length]))
            except IndexError:  # cut off
                return None
        position += length
    return None


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - self._at % 8) & 1
            self._at += 1
        return value


def _frame_size(bits: _Bits) -> tuple[int, int]:
    bits.read(4)  # profile, still picture
    if bits.read(1):  # the short header of still pictures
        bits.read(5)
    else:
        _skip_operating_points(bits, _delay_bits(bits))
    width, height = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width) + 1, bits.read(height) + 1


def _delay_bits(bits: _Bits) -> int:
    """Skips the timing; bits of a buffer delay, 0 without a decoder model."""
    if not bits.read(1):
        return 0
    bits.read(64)
    if bits.read(1):  # equal intervals: a number in its own variable-length code
        zeros = 0
        while not bits.read(1):
            zeros += 1
        bits.read(zeros if zeros < 32 else 0)
    if not bits.read(1):
        return 0
    delay = bits.read(5) + 1
    bits.read(42)
    return delay


def _skip_operating_points(bits: _Bits, delay: int) -> None:
    display = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:  # levels from 4.0 on have a tier
            bits.read(1)
        if delay and bits.read(1):
            bits.read(2 * delay + 1)
        if display and bits.read(1):
            bits.read(4)


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, position + index + 1
    return len(data), len(data)


def _offsets(box: bytes) -> Iterator[int]:
    """Where each item begins in the file (ISO 14496-12, 8.11.3); nothing from where the box is damaged."""
    version = box[0] if box else 3
    if version > 2 or len(box) < 8:
        return
    sizes, position = box[4:6], 6
    of_offset, of_length, of_base = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    of_index = sizes[1] & 15 if version else 0
    wide = 4 if version == 2 else 2
    number = int.from_bytes(box[position : position + wide], "big")
    position += wide
    for _ in range(min(number, _MOST_ITEMS)):
        position += wide
        inside = version > 0 and struct.unpack_from(">H", box[position : position + 2].ljust(2, b"\0"))[0] & 15
        position += 4 if version else 2
        base = int.from_bytes(box[position : position + of_base], "big")
        position += of_base
        extents = int.from_bytes(box[position : position + 2], "big")
        position += 2
        if position >= len(box):
            return
        first = position + of_index
        if extents and not inside:  # others lie in the box of the item's data, not at a place of the file
            yield base + int.from_bytes(box[first : first + of_offset], "big")
        position += extents * (of_index + of_offset + of_length)
