"""Sizes of JPEG 2000, AVIF and HEIC pictures, from their boxes and markers, before a decoder of theirs is reached."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from anomalyclip.io import av1, heif_items, jpeg2000
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_BOXES = 10_000
_MOST_BRANDS = 256  # bytes
_HEAD = 1 << 20  # bytes in which the descriptions of a picture stand; pixels come behind
_CONTAINERS = {b"meta": 4} | dict.fromkeys((b"iprp", b"ipco", b"jp2h", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0)
"""Box -> bytes before its children."""
_DEEPEST = 6
_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True)
class BoxFacts:
    """Width and height of the largest picture inside (tiles are parts of it), components, bits of one component."""

    width: int
    height: int
    components: int = 3
    bits: int = 8


def read_heif(file: BinaryIO) -> BoxFacts:
    """AVIF or HEIC: the largest of all image sizes in the file's properties. Raises `Refusal`."""
    head = memoryview(_head(file))
    _refuse_several(head)
    av1_inside = b"avif" in _brands(head) or b"avis" in _brands(head)
    sizes, bits = [], 8
    streams: list[tuple[int, int]] = []
    for kind, body in _boxes(head):
        if kind == b"ispe" and len(body) >= 12:
            sizes.append(struct.unpack_from(">II", body, 4))
        elif kind == b"iloc" and av1_inside:
            streams += av1.stream_sizes(file, body)
        elif kind == b"pixi" and len(body) > 5:
            bits = max(bits, *body[5 : 5 + body[4]])
    if not sizes:
        raise Refusal("it is an AVIF or HEIC file without an image size at its beginning", "save it as PNG or JPEG")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    for wide, high in streams:
        if wide * high > width * height:  # the decoder would make all of it, and scale it down
            raise Refusal(f"its AV1 stream is {wide} x {high}, its own header claims {width} x {height}", EXPORT_AGAIN)
    return BoxFacts(width, height, bits=bits)


def _brands(head: memoryview) -> tuple[bytes, ...]:
    """The major brand, then those that the file is compatible with."""
    end = min(int.from_bytes(head[:4], "big"), _MOST_BRANDS)
    return (bytes(head[8:12]), *(bytes(head[place : place + 4]) for place in range(16, end, 4)))


def _refuse_several(head: memoryview) -> None:
    """A sequence, or several pictures side by side: taking the first would be an answer about another picture."""
    if bytes(head[8:12]) == b"avis":
        samples = [int.from_bytes(body[8:12], "big") for kind, body in _boxes(head) if kind == b"stsz"]
        told = f"{max(samples):,}" if samples else "several"
        raise Refusal(f"it is an AVIF animation of {told} pictures", "save its frames as single files")
    if (number := heif_items.count_pictures(_boxes(head))) > 1:
        raise Refusal(f"it holds {number:,} pictures, a form of HEIF that is not read", "save them as single files")


def read_jpeg2000(file: BinaryIO) -> BoxFacts:
    """JPEG 2000, bare or in its boxes: the SIZ marker of the codestream. Raises `Refusal`."""
    file.seek(0)
    head = file.read()  # whole: every tile has a header
    start = 0
    if head.startswith(_SIGNATURE):
        start = next((place for kind, place, _ in _top_level(memoryview(head)) if kind == b"jp2c"), -1)
    if start < 0 or head[start : start + 4] != b"\xff\x4f\xff\x51":
        raise Refusal("its JPEG 2000 codestream is not at its beginning", EXPORT_AGAIN)
    try:
        right, bottom, left, top, wide, high, _, _, number = struct.unpack_from(">8IH", head, start + 8)
        depths = head[start + 42 : start + 42 + 3 * number : 3]
    except struct.error as error:
        raise truncated() from error
    if not 1 <= number <= 4 or len(depths) < number:
        raise Refusal(f"its JPEG 2000 has {number} components", "save it as grey or RGB")
    if right <= left or bottom <= top or not wide or not high:
        raise Refusal("its JPEG 2000 size is impossible", EXPORT_AGAIN)
    if -(-right // wide) * -(-bottom // high) > 65_535:
        raise Refusal("its JPEG 2000 is cut into more tiles than the format has", EXPORT_AGAIN)
    if any(depth & 0x80 for depth in depths):
        raise Refusal("its JPEG 2000 samples are signed", "save it as PNG or TIFF")
    jpeg2000.check_work(memoryview(head)[start:])
    return BoxFacts(right - left, bottom - top, number, max(depth & 0x7F for depth in depths) + 1)


def without_exif(file: BinaryIO) -> bytes:
    """An AVIF or HEIC file whose EXIF note no decoder finds: Pillow would copy every tag of it, and HEIF turns pictures
    by properties of its own."""
    file.seek(0)
    data = bytearray(file.read())
    for kind, start, end in _top_level(memoryview(bytes(data[:_HEAD]))):
        if kind == b"meta":
            end = min(end, len(data))
            data[start:end] = data[start:end].replace(b"Exif", b"free")
    return bytes(data)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEAD)


def _boxes(data: memoryview, deeper: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """(kind, body) of every box and of those inside the containers that matter; as far as they are there."""
    for kind, start, end in _top_level(data):
        body = data[start:end]
        if kind in _CONTAINERS and deeper < _DEEPEST:
            yield from _boxes(body[_CONTAINERS[kind] :], deeper + 1)
        else:
            yield kind, body


def _top_level(data: memoryview) -> Iterator[tuple[bytes, int, int]]:
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
