"""Animated PNG: its pictures one after another, as browsers draw them (PNG third edition, 11.3.6).

Each is decoded as a PNG of its own and drawn by ourselves: Pillow mixes half-transparent pixels without their weights,
and draws the first picture over a still one that is no part of the animation.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple

from PIL import Image

from anomalyclip.io.canvas import Canvas
from anomalyclip.io.notes import NOTES, notes_of
from anomalyclip.io.png import PngFacts, decode
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

_CLEAR, _TO_PREVIOUS = 1, 2  # what becomes of a picture's place once it was shown
_OVER = 1  # drawn over what is there; else put in its place, transparent pixels included
_NUMBER = 4  # bytes before the pixels in a chunk of later pictures


class Chunk(NamedTuple):
    """head: the first 32 bytes of its body. start, length: of its body in the file."""

    kind: bytes
    head: bytes
    start: int
    length: int


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Every chunk, as far as the file is whole."""
    end = file.seek(0, 2)
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        here = file.tell()
        yield Chunk(kind, file.read(min(length, 32)), here, length)
        if kind == b"IEND" or here + length + 4 > end:
            return
        file.seek(here + length + 4)


@dataclass(frozen=True)
class _Picture:
    """place: left, top, width, height. parts: the chunks of its pixels."""

    place: tuple[int, int, int, int]
    disposal: int
    blend: int
    parts: list[Chunk] = field(default_factory=list)


class Animation(Canvas):
    """The pictures of an animated PNG of 8 bits or fewer; asked as Pillow's images are."""

    def __init__(self, file: BinaryIO, facts: PngFacts) -> None:
        self._file = file
        # Without the file's bytes, which the facts hold on to.
        self._facts = replace(facts, before=[memoryview(bytes(part)) for part in facts.before], pixels=[])
        self._pictures = _pictures(file, (facts.width, facts.height))
        super().__init__((facts.width, facts.height), len(self._pictures))

    def _draw(self, number: int) -> None:
        picture = self._pictures[number]
        left, top, wide, high = picture.place
        own = decode(self._facts.of(wide, high, [self._body(part) for part in picture.parts]))
        if not isinstance(own, Image.Image):
            raise TypeError("pictures of 16 bits or of a narrow range are not drawn over each other")
        self._shown = self._left.copy()
        rgba = own.convert("RGBA")
        if picture.blend == _OVER:
            self._shown.alpha_composite(rgba, (left, top))
        else:
            self._shown.paste(rgba, (left, top))
        if notes := notes_of(own):
            self._shown.info[NOTES] = notes
        if picture.disposal != _TO_PREVIOUS:
            self._leave((left, top, left + wide, top + high), clear=picture.disposal == _CLEAR)

    def _body(self, part: Chunk) -> memoryview:
        """Compressed pixels. Raises `Refusal` where they are damaged."""
        self._file.seek(part.start - 4)
        data = self._file.read(4 + part.length + 4)
        if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
            raise Refusal("the image is damaged (a checksum is wrong)", EXPORT_AGAIN)
        return memoryview(data)[4 + (_NUMBER if part.kind == b"fdAT" else 0) : -4]


def _pictures(file: BinaryIO, size: tuple[int, int]) -> list[_Picture]:
    """In order; first a still one that is no part of the animation, which leaves nothing. Raises `Refusal`."""
    found: list[_Picture] = []
    for chunk in chunks(file):
        if chunk.kind == b"fcTL":
            wide, high, left, top, disposal, blend = struct.unpack(">4I4x2B", chunk.head[4:26])
            found.append(_Picture((left, top, wide, high), disposal, blend))
        elif chunk.kind == b"IDAT":
            if not found:
                found.append(_Picture((0, 0, *size), _TO_PREVIOUS, 0))
            found[0].parts.append(chunk)
        elif chunk.kind == b"fdAT" and found:
            found[-1].parts.append(chunk)
    for number, picture in enumerate(found):
        if not picture.parts or 0 in picture.place[2:]:
            raise Refusal(f"picture {number} of its animation has no pixels", EXPORT_AGAIN)
        if picture.parts[0].kind == b"IDAT" and picture.place != (0, 0, *size):
            raise Refusal("the first picture of its animation is not as large as the image", EXPORT_AGAIN)
    return found
