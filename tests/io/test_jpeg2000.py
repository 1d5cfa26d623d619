"""Work that a JPEG 2000 codestream asks for, counted from markers written here."""

from __future__ import annotations

import struct

import pytest

from anomalyclip.io.jpeg2000 import check_work
from anomalyclip.io.refusal import Refusal


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def coding(levels: int = 5, block: int = 4, layers: int = 1, precincts: bytes = b"") -> bytes:
    """COD: block is the exponent less 2, so 4 is 64 pixels."""
    return struct.pack(">BBHB", bool(precincts), 0, layers, 0) + bytes([levels, block, block, 0, 1]) + precincts


def stream(main: bytes, tile: bytes = b"", side: int = 4000, tile_side: int = 4000, parts: int = 1) -> bytes:
    size = struct.pack(">H8IH", 0, side, side, 0, 0, tile_side, tile_side, 0, 0, 3) + b"\7\1\1" * 3
    out = b"\xff\x4f" + segment(0xFF51, size) + main
    for index in range(parts):
        header = tile + b"\xff\x93" + bytes(8)
        out += segment(0xFF90, struct.pack(">HIBB", index, 12 + len(header), 0, 1)) + header
    return out + b"\xff\xd9"


@pytest.mark.parametrize(
    "main",
    [
        coding(),
        coding(block=2, layers=20),
        coding(levels=0),
        coding(precincts=b"\x77" + b"\x88" * 5),
        coding(layers=100, precincts=b"\x88" * 6),
    ],
)
def test_what_encoders_write_is_let_through(main):
    check_work(stream(segment(0xFF52, main)))
    check_work(stream(segment(0xFF52, main), parts=64, tile_side=512))


@pytest.mark.parametrize(
    "main",
    [
        coding(block=0),  # 4 x 4
        coding(levels=0, precincts=b"\x00"),
        coding(precincts=b"\x11" * 6),
        coding(layers=65535, precincts=b"\x88" * 6),
    ],
)
def test_pieces_beyond_need_are_refused_wherever_they_are_asked_for(main):
    for bad in (
        stream(segment(0xFF52, main)),
        stream(segment(0xFF52, coding()), segment(0xFF52, main)),  # in the header of a tile
        stream(segment(0xFF52, coding()) + segment(0xFF52, main)),
    ):
        with pytest.raises(Refusal, match="work without pixels"):
            check_work(bad)


def test_one_components_own_parameters_count():
    own = bytes([1, 1]) + bytes([0, 4, 4, 0, 1, 0])
    with pytest.raises(Refusal, match="work without pixels"):
        check_work(stream(segment(0xFF52, coding()) + segment(0xFF53, own)))


def test_impossible_and_cut_off_headers():
    with pytest.raises(Refusal, match="impossible"):
        check_work(stream(segment(0xFF52, coding(levels=33))))
    whole = stream(segment(0xFF52, coding()))
    for length in range(2, len(whole) - 30, 7):
        with pytest.raises(Refusal):
            check_work(whole[:length])


def test_more_small_tiles_than_blocks_is_work_too():
    with pytest.raises(Refusal, match="work without pixels"):
        check_work(stream(segment(0xFF52, coding(levels=32)), side=4000, tile_side=20))
