"""Sizes of JPEG 2000, AVIF and HEIC pictures, from their boxes and markers, before a decoder of theirs is reached."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from anomalyclip.io import av1, heif_items, jpeg2000, light
from anomalyclip.io.boxes import AV1_BRANDS, child, top_level
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_BRANDS = 256  # bytes
_HEAD = 1 << 20  # bytes in which the descriptions of a picture stand; pixels come behind
_CONTAINERS = {b"meta": 4} | dict.fromkeys((b"iprp", b"ipco", b"jp2h", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0)
"""Box -> bytes before its children."""
_DEEPEST = 6
_CMYK, _YCBCR = 12, 18
_JPEG2000_SPACES = (_CMYK, 16, 17, _YCBCR)  # and sRGB and grey: what OpenJPEG and Pillow turn into colours
_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True)
class BoxFacts:
    """Width and height of the largest picture inside (tiles are parts of it), components, bits of the deepest; what has
    to be told of its colours. Of a JPEG 2000 also the bits of every component, and where its codestream starts."""

    width: int
    height: int
    components: int = 3
    bits: int = 8
    notes: tuple[str, ...] = ()
    depths: tuple[int, ...] = ()
    start: int = 0


def read_heif(file: BinaryIO) -> BoxFacts:
    """AVIF or HEIC: the largest of all image sizes in the file's properties. Raises `Refusal`."""
    head = memoryview(_head(file))
    _refuse_several(head)
    av1_inside = bool(AV1_BRANDS.intersection(_brands(head)))
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
    meta = child(head, b"meta")[4:]
    if av1_inside and heif_items.shown(meta, b"clap"):  # which Pillow's decoder does not apply
        raise Refusal("it is an AVIF image that is to be cropped (clap)", "save it as PNG or JPEG")
    return BoxFacts(width, height, bits=bits, notes=_coding(heif_items.shown(meta, b"colr"), "nclx"))


def _coding(colours: Iterable[bytes], field: str) -> tuple[str, ...]:
    """What has to be told by `colr` boxes: numbers of H.273 or a profile. Raises `Refusal`."""
    notes: tuple[str, ...] = ()
    for body in colours:
        if body[:4] == b"nclx" and len(body) >= 8:
            notes += light.note_of(int.from_bytes(body[6:8], "big"), field)
        elif body[:4] in (b"prof", b"rICC"):
            notes += light.note_of_profile(body[4:])
    return notes[:1]


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
        start = next((place for kind, place, _ in top_level(memoryview(head)) if kind == b"jp2c"), -1)
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
    boxes = list(_boxes(memoryview(head)[:start]))
    _check_channels(boxes, number)
    notes = _coding_of_jpeg2000(boxes)
    bits = tuple(depth + 1 for depth in depths)
    steps = head[start + 43 : start + 42 + 3 * number : 3] + head[start + 44 : start + 42 + 3 * number : 3]
    _check_depths(boxes, bits, subsampled=set(steps) != {1})
    if max(bits) > 8 and number > 1 and (left or top):  # which OpenCV does not decode
        raise Refusal(f"its JPEG 2000 begins at {left}, {top} of its grid, not at 0, 0", "save it as PNG or TIFF")
    return BoxFacts(right - left, bottom - top, number, max(bits), notes, bits, start)


def _check_channels(boxes: list[tuple[bytes, memoryview]], number: int) -> None:
    """That channels lie as Pillow takes them, colours first, in order, then plain alpha (ISO 15444-1, I.5.3.6)."""
    body = bytes(next((body for kind, body in boxes if kind == b"cdef"), b""))
    if len(body) < 8 or _is_palette(boxes):
        return
    told = sorted(struct.iter_unpack(">3H", body[2 : 2 + (len(body) - 2) // 6 * 6]))
    usual = [(place, 0, place + 1) for place in range(number)]
    if number in (2, 4) and told[-1] != usual[-1]:
        usual[-1] = (number - 1, 1, 0)  # alpha of the whole picture
    if told != usual:
        raise Refusal("its JPEG 2000 channels are no colours in order, with plain alpha or none", "save it as RGB")


def _check_depths(boxes: list[tuple[bytes, memoryview]], bits: tuple[int, ...], *, subsampled: bool) -> None:
    """That the stored values can be had back: Pillow shifts all samples to 8 bits, and what goes through a palette or
    another colour space on the way cannot be shifted back; OpenCV gives deeper ones as they are, of one depth."""
    deepest = max(bits)
    if set(bits) == {8}:
        return
    told = f"it is a JPEG 2000 of {', '.join(map(str, sorted(set(bits))))} bits"
    if deepest > 8 and (len(set(bits)) > 1 or deepest > 16 or len(bits) == 2):
        raise Refusal(f"{told} in {len(bits)} components", "save it as PNG or TIFF")
    if subsampled or _is_palette(boxes) or _enumerated_space(boxes) in (_CMYK, _YCBCR):
        raise Refusal(f"{told} that are no plain grey or RGB", "save it as RGB in a PNG or TIFF")


def _is_palette(boxes: list[tuple[bytes, memoryview]]) -> bool:
    return any(kind == b"pclr" for kind, _ in boxes)


def _enumerated_space(boxes: list[tuple[bytes, memoryview]]) -> int | None:
    """The number of the first `colr` box's colour space; None where it has none."""
    body = bytes(next((body for kind, body in boxes if kind == b"colr"), b""))
    return int.from_bytes(body[3:7], "big") if body[:1] == b"\1" else None


def _coding_of_jpeg2000(boxes: list[tuple[bytes, memoryview]]) -> tuple[str, ...]:
    """What has to be told by the first `colr` box (ISO 15444-1, I.5.3.3). Raises `Refusal`: colours of another kind."""
    body = bytes(next((body for kind, body in boxes if kind == b"colr"), b""))
    if (space := _enumerated_space(boxes)) not in (None, *_JPEG2000_SPACES):
        raise Refusal(f"its JPEG 2000 colours are of the enumerated space {space}", "save it as grey or RGB")
    if body[:1] == b"\5" and len(body) >= 7:
        return light.note_of(int.from_bytes(body[5:7], "big"), "colour box")
    return light.note_of_profile(body[3:]) if body[:1] in (b"\2", b"\3") else ()


def without_exif(file: BinaryIO) -> bytes:
    """An AVIF or HEIC file whose EXIF note no decoder finds: Pillow would copy every tag of it, and HEIF turns pictures
    by properties of its own."""
    file.seek(0)
    data = bytearray(file.read())
    for kind, start, end in top_level(memoryview(bytes(data[:_HEAD]))):
        if kind == b"meta":
            end = min(end, len(data))
            data[start:end] = data[start:end].replace(b"Exif", b"free")
    return bytes(data)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEAD)


def _boxes(data: memoryview, deeper: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """(kind, body) of every box and of those inside the containers that matter; as far as they are there."""
    for kind, start, end in top_level(data):
        body = data[start:end]
        if kind in _CONTAINERS and deeper < _DEEPEST:
            yield from _boxes(body[_CONTAINERS[kind] :], deeper + 1)
        else:
            yield kind, body
