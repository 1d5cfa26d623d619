"""What a compressed picture says of itself: the headers of JPEG, JPEG-LS, JPEG 2000 and DICOM's RLE, read by ourselves.

A picture inside another container is decoded at its own size, whatever the container claims; so both are compared
before any decoder sees it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from anomalyclip.io import jpeg, jpeg2000
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated


@dataclass(frozen=True)
class Claimed:
    """width, height: pixels. samples: per pixel. bits: per sample, those that the container allocates at most."""

    width: int
    height: int
    samples: int
    bits: int


def check(family: str, data: bytes, claimed: Claimed) -> None:
    """Compare a compressed picture's own header with the claim. family: JPEG, JPEG 2000 or RLE. Raises `Refusal`."""
    try:
        if family == "RLE":
            _check_rle(data, claimed)
            return
        own = _jpeg(data) if family == "JPEG" else _jpeg2000(data)
    except (struct.error, IndexError) as error:
        raise truncated(f"its {family} data ends before its header does") from error
    if (own.width, own.height, own.samples) != (claimed.width, claimed.height, claimed.samples):
        raise Refusal(
            f"its {family} data holds {own.width} x {own.height} pixels of {own.samples} samples, its tags claim "
            f"{claimed.width} x {claimed.height} of {claimed.samples}",
            EXPORT_AGAIN,
        )
    if family == "JPEG":
        jpeg.check_scans(data)
    else:
        jpeg2000.check_work(memoryview(data)[_codestream(data) :])
    if own.bits > claimed.bits:
        raise Refusal(f"its {family} data is {own.bits} bits deep, its tags claim {claimed.bits}", EXPORT_AGAIN)


def _jpeg(data: bytes) -> Claimed:
    """The frame header of a JPEG or JPEG-LS stream; two of them are refused."""
    if data[:2] != b"\xff\xd8":
        raise Refusal("its JPEG data does not begin like one", EXPORT_AGAIN)
    position, found = 2, None
    while True:
        if data[position] != 0xFF:
            raise Refusal("its JPEG data is damaged between its markers", EXPORT_AGAIN)
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in (0x01, *range(0xD0, 0xD8)):
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", data, position)
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            if found is not None:
                raise Refusal("its JPEG data holds two frame headers", EXPORT_AGAIN)
            bits, height, width, samples = struct.unpack_from(">BHHB", data, position + 2)
            found = Claimed(width, height, samples, bits)
        if marker == 0xDA:
            break
        position += max(length, 2)
    if found is None:
        raise Refusal("its JPEG data has no frame header", EXPORT_AGAIN)
    return found


def _jpeg2000(data: bytes) -> Claimed:
    start = _codestream(data)
    if data[start : start + 4] != b"\xff\x4f\xff\x51":
        raise Refusal("its JPEG 2000 data does not begin like one", EXPORT_AGAIN)
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    samples = struct.unpack_from(">H", data, start + 40)[0]
    bits = max((depth & 0x7F) + 1 for depth in data[start + 42 : start + 42 + 3 * samples : 3])
    return Claimed(right - left, bottom - top, samples, bits)


def _codestream(data: bytes) -> int:
    """Where the codestream begins: at once, as DICOM wants it, or in the box of a JP2 file, as some write it."""
    position = 0
    if data[4:8] != b"jP  ":
        return 0
    while data[position + 4 : position + 8] != b"jp2c":
        (length,) = struct.unpack_from(">I", data, position)
        if length < 8:
            raise Refusal("its JPEG 2000 boxes are damaged", EXPORT_AGAIN)
        position += length
    return position + 8


def _check_rle(data: bytes, claimed: Claimed) -> None:
    """DICOM PS3.5 annex G: one segment per byte of a pixel, each of which unpacks to one byte per pixel."""
    count, *offsets = struct.unpack_from("<16I", data)
    wanted = claimed.samples * (claimed.bits // 8)
    if count != wanted or any(a >= b for a, b in pairwise(offsets[:count])):
        raise Refusal(f"its RLE data has {count} segments, its tags claim {wanted}", EXPORT_AGAIN)
    ends = [*offsets[1:count], len(data)]
    for start, end in zip(offsets[:count], ends, strict=True):
        if not 64 <= start <= end <= len(data):
            raise Refusal("its RLE segments lie outside their frame", EXPORT_AGAIN)
        _check_segment(data, start, end, claimed.width * claimed.height)


def _check_segment(data: bytes, start: int, end: int, wanted: int) -> None:
    position, made = start, 0
    while position < end - 1 and made < wanted:
        control = data[position]
        if control < 128:
            made += control + 1
            position += control + 2
        elif control > 128:
            made += 257 - control
            position += 2
        else:
            position += 1
    # One pair may remain: segments are padded to an even length.
    if made != wanted or end - position > 2:
        raise Refusal("an RLE segment does not hold as many pixels as its tags claim", EXPORT_AGAIN)
