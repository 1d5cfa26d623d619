"""How much work a JPEG 2000 codestream asks for, counted from its markers: tiles, precincts, code-blocks, packets.

A decoder makes a table entry for each, however empty: 100 bytes of file can ask for gigabytes of them. The coding
parameters stand in the main header and may be replaced in every tile's; the worst of them counts for all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
_MOST_MARKERS = 300_000  # two or three for each of 65,535 tiles
_MOST_PIECES = 2_000_000
"""Precincts and code-blocks together: 89 megapixels of three components have 65,000 blocks of the usual size."""
_MOST_PACKETS = 4_000_000
_COMPONENTS = 36  # where SIZ's body lists them, three bytes each: depth, step across, step down
_LARGEST_PRECINCT = 15  # power of two, where the markers name none


def check_work(stream: bytes | memoryview) -> None:
    """Refuse a codestream (from its SOC marker on) that asks for more pieces than its pixels need. Raises `Refusal`."""
    data = memoryview(stream)
    try:
        _check(data)
    except (struct.error, IndexError) as error:
        raise truncated("its JPEG 2000 headers are cut off") from error


def is_irreversible(file: BinaryIO) -> bool:
    """Whether the main header asks for the wavelet that changes values (9-7). Rewinds the file."""
    file.seek(0)
    head = file.read(1 << 16)
    file.seek(0)
    at = head.find(struct.pack(">H", _COD), max(head.find(b"\xff\x4f\xff\x51"), 0))
    return head[at + 13 : at + 14] == b"\0" if at >= 0 else True


def _check(data: memoryview) -> None:
    size: tuple[int, ...] | None = None
    for marker, body, components in _parameters(data):
        if marker == _SIZ:
            size = struct.unpack_from(">8IH", body, 2)
            _check_steps(size, body[_COMPONENTS:])
        elif size is None:
            raise Refusal("its JPEG 2000 does not begin with its size", EXPORT_AGAIN)
        elif marker == _COD:
            layers = struct.unpack_from(">H", body, 2)[0]
            _check_coding(size, layers, body[5:], bool(body[0] & 1))
        else:
            start = 1 if components < 257 else 2
            _check_coding(size, 1, body[start + 1 :], bool(body[start] & 1))


def _check_steps(size: tuple[int, ...], components: memoryview) -> None:
    """Refuse colours at fewer places than Pillow puts back: it counts them by the size over the step, rounded down in
    every tile, so that where a step does not divide a size rows of colours slide away under the grey."""
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, number = size
    steps = [(components[at + 1], components[at + 2]) for at in range(0, 3 * number, 3)]
    if set(steps) == {(1, 1)}:
        return
    across = [left, right] + ([tile_left, tile_width] if tile_left + tile_width < right else [])
    down = [top, bottom] + ([tile_top, tile_height] if tile_top + tile_height < bottom else [])
    whole = all(wide and high for wide, high in steps) and not any(
        place % step
        for places, each in zip((across, down), zip(*steps, strict=True), strict=True)
        for place in places
        for step in each
    )
    if steps[0] != (1, 1) or not whole:
        told = ", ".join(f"{wide} x {high}" for wide, high in steps)
        what = f"its JPEG 2000 components stand for {told} pixels, which do not divide its size or its tiles"
        raise Refusal(what, "save it as RGB without subsampling")


def _parameters(data: memoryview) -> Iterator[tuple[int, memoryview, int]]:
    """(marker, body, number of components) of every SIZ, COD and COC of the main header and of the tile-parts'."""
    position, components, part, part_length = 2, 0, 0, 0
    for _ in range(_MOST_MARKERS):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == _EOC or (marker == _SOD and not part_length):  # a part of unknown length is the last
            return
        if marker == _SOD:
            position = part + part_length
            if position + 4 > len(data):
                return  # cut off in its pixels, which the decoder says
            continue
        body = data[position + 4 : position + 2 + length]
        if marker == _SOT:
            part, part_length = position, struct.unpack_from(">I", body, 2)[0]
            if 0 < part_length < 14:
                raise Refusal("its JPEG 2000 tile-parts are damaged", EXPORT_AGAIN)
        elif marker == _SIZ:
            components = struct.unpack_from(">H", body, 34)[0]
        if marker in (_SIZ, _COD, _COC):
            yield marker, body, components
        position += 2 + max(length, 2)
    raise Refusal("its JPEG 2000 has more markers than are read", "save it again, in fewer parts")


def _check_coding(size: tuple[int, ...], layers: int, coding: memoryview, named: bool) -> None:
    """coding: the SP parameters from the number of decomposition levels on; named: precinct sizes follow."""
    right, bottom, left, top, tile_width, tile_height, _, _, components = size
    levels, wide, high = coding[0], coding[1] + 2, coding[2] + 2
    if levels > 32 or wide > 10 or high > 10 or wide + high > 12 or not tile_width or not tile_height:
        raise Refusal("its JPEG 2000 coding parameters are impossible", EXPORT_AGAIN)
    tiles = -(-right // tile_width) * -(-bottom // tile_height)
    width, height = min(tile_width, right - left), min(tile_height, bottom - top)
    precincts = 0
    for level in range(levels + 1):
        both = coding[5 + level] if named else _LARGEST_PRECINCT * 17
        shrunk = levels - level
        across, down = _cut(width, shrunk), _cut(height, shrunk)
        precincts += _cut(across, both & 15) * _cut(down, both >> 4)
    precincts *= tiles * components
    pieces = precincts + _cut(width * height * tiles * components, wide + high)
    if pieces > _MOST_PIECES or precincts * layers > _MOST_PACKETS:
        what = f"its JPEG 2000 is cut into {pieces:,} precincts and blocks in {layers:,} layers, work without pixels"
        raise Refusal(what, "save it with code-blocks of 64 x 64 and without precincts")


def _cut(length: int, power: int) -> int:
    """How many pieces of 2**power cover a length."""
    return -(-length // (1 << power))
