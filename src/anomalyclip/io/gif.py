"""GIF: blocks walked by ourselves, pixels decoded by Pillow from the blocks that pictures need.

Pillow joins the parts of a comment one by one, which takes hours for a long one; comments and applications' blocks stay
out, and the number of parts is bounded, as each costs its microsecond however short it is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL.GifImagePlugin import GifImageFile

from anomalyclip.io.canvas import Canvas
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_PARTS = 1_000_000  # of 255 bytes as all encoders write them: 255 MB
_HEAD = 13  # bytes before the palette of all pictures
_EXTENSION, _IMAGE, _GRAPHIC_CONTROL = 0x21, 0x2C, 0xF9
_TO_NOTHING, _TO_PREVIOUS = 2, 3  # what becomes of a picture's place once it was shown


@dataclass(frozen=True)
class GifFacts:
    """(width, height) that the pictures need: the screen, or a picture that reaches further. stream: pictures alone."""

    width: int
    height: int
    frames: int
    stream: bytes


def read_facts(file: BinaryIO) -> GifFacts:
    """Walk the blocks up to the trailer, or to the end of a file that is cut off in its pixels. Raises `Refusal`."""
    file.seek(0)
    data = file.read()
    try:
        return _facts(data)
    except (IndexError, struct.error) as error:
        raise truncated() from error


def _facts(data: bytes) -> GifFacts:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = _HEAD + _palette(flags)
    kept, frames = [data[:position]], 0
    for start, end in _blocks(data, position):
        position = end
        if data[start] == _IMAGE:
            left, top, wide, high = struct.unpack_from("<HHHH", data, start + 1)
            width, height = max(width, left + wide), max(height, top + high)
            frames += 1
        elif data[start + 1] != _GRAPHIC_CONTROL:
            continue
        kept.append(data[start:end])
    if not frames:
        if position > len(data):
            raise truncated()
        raise Refusal("this GIF holds no image", EXPORT_AGAIN)
    return GifFacts(width, height, frames, b"".join(kept) + (b";" if position < len(data) else b""))


def _blocks(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Where every picture and extension begins and ends, beyond the data where they are cut off. Raises `Refusal`."""
    parts = 0
    while position < len(data) and data[position] in (_IMAGE, _EXTENSION):  # whatever else follows is no picture
        start = position
        position += 2 if data[start] == _EXTENSION else 11 + _palette(data[start + 9])
        while position < len(data) and (length := data[position]):
            position += length + 1
            parts += 1
            if parts > _MOST_PARTS:
                raise Refusal(f"its GIF is cut into more than {_MOST_PARTS:,} parts", EXPORT_AGAIN)
        position += 1
        yield start, position


class Animation(Canvas):
    """The pictures of a GIF one after another, as browsers draw them; asked as Pillow's images are.

    Drawn by ourselves, each decoded as a file of its own: where a picture is to be cleared away and has no transparent
    colour, Pillow paints its place in a colour of whichever palette comes next; browsers clear it.
    """

    def __init__(self, facts: GifFacts) -> None:
        self._data = facts.stream
        self._head = facts.stream[: _HEAD + _palette(facts.stream[10])]
        self._pictures: list[tuple[bytes, int, int]] = []  # what the control block before it says, where it lies
        control = b""
        for start, end in _blocks(facts.stream, len(self._head)):
            if facts.stream[start] == _EXTENSION:
                control = facts.stream[start:end]
                continue
            self._pictures.append((control, start, end))
            control = b""
        super().__init__((facts.width, facts.height), len(self._pictures))

    def _draw(self, number: int) -> None:
        control, start, end = self._pictures[number]
        left, top, wide, high = struct.unpack_from("<HHHH", self._data, start + 1)
        self._shown = self._left.copy()
        if wide and high:
            sides = struct.pack("<HH", wide, high)
            parts = (
                self._head[:6], sides, self._head[10:], control,
                b",\0\0\0\0", sides, self._data[start + 9 : end], b";" if end <= len(self._data) else b"",
            )  # fmt: skip
            self._shown.alpha_composite(GifImageFile(io.BytesIO(b"".join(parts))).convert("RGBA"), (left, top))
        disposal = control[3] >> 2 & 7 if len(control) > 3 else 0
        if disposal != _TO_PREVIOUS:
            self._leave((left, top, left + wide, top + high), clear=disposal == _TO_NOTHING)


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
