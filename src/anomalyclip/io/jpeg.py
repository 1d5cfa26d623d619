"""JPEG: markers walked by ourselves, pixels decoded by Pillow's libjpeg from the segments that pixels need.

Before the decoder runs the markers have said the size, the depth and how many scans there are. A progressive file of
100 kB can hold hundreds of scans, each a pass over all coefficients of tens of megapixels: minutes of work. And Pillow
would copy every tag of an EXIF note, however many point at the same bytes; so comments and application data other than
JFIF's and Adobe's, which decide about colour, stay out.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from anomalyclip.io import exif
from anomalyclip.io.quiet import own_pixel_limit
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

MOST_SCANS = 100
"""An encoder's usual script has 10 scans, the most refined ones 60."""
MOST_PASSES = 40.0
"""Passes over all samples of the picture, the scans of one component counting by its share."""
_MOST_SEGMENTS = 50_000
_PLAIN = "save it again as a plain JPEG"
_MOST_NOTES = 1 << 20

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_SOI, _EOI, _SOS, _DRI, _COM = 0xD8, 0xD9, 0xDA, 0xDD, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_PROFILE = b"ICC_PROFILE\0\1"  # the first of its pieces; a byte of how many there are follows
_FRAMES = {0xC0: "", 0xC1: "", 0xC2: "", 0xC9: "", 0xCA: "", 0xC3: "lossless JPEG", 0xCB: "lossless JPEG"}
_FRAMES |= dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical JPEG") | {0xF7: "JPEG-LS image"}
_PROGRESSIVE, _SEQUENTIAL = (0xC2, 0xCA), (0xC0, 0xC1)
_UNIT = 4  # blocks of the side of the largest unit of coding
_MORE = bytes(1 + number * 89 % 251 for number in range(4096))
"""Codes of a scan, none of them a marker's."""


@dataclass
class JpegFacts:
    """What the markers say; `kept` are the segments that decoding needs, in order. adobe: with Adobe's note, which says
    that inks are stored the other way round. profile: the first piece of its colour profile. sequential: coded from
    the top to the end, by Huffman's codes."""

    width: int = 0
    height: int = 0
    components: int = 0
    precision: int = 8
    progressive: bool = False
    sequential: bool = False
    scans: int = 0
    passes: float = 0.0
    orientation: int = 1
    adobe: bool = False
    profile: bytes = b""
    kept: list[memoryview] = field(default_factory=list)

    def stream(self) -> bytes:
        """A complete JPEG of the kept segments."""
        return b"".join(self.kept)


def read_facts(file: BinaryIO) -> JpegFacts:
    """Walk the markers of the first picture in `file`. Raises `Refusal`: no picture, an unread kind, too many scans."""
    file.seek(0)
    return _Walk(memoryview(file.read())).facts()


def decode(stream: bytes) -> Image.Image:
    """Pixels of a stream whose facts were checked, in libjpeg's own colours: mode L, RGB or CMYK."""
    image = JpegImageFile(io.BytesIO(stream))
    image.load()
    return image


def decode_whole(facts: JpegFacts) -> Image.Image:
    """The same of a picture's facts. Raises `Refusal` where its codes end before its pixels: the decoder goes on in the
    last colour without a word. What was whole stays the same with more codes behind it."""
    image = decode(facts.stream())
    *rest, scan, end = facts.kept
    if not (facts.sequential and scan[1] == _SOS and end[1] == _EOI and _ends_flat(image)):
        return image
    small, longer = _small(facts.stream()), _small(b"".join((*rest, scan, _MORE, end)))
    left, top, right, bottom = ImageChops.difference(small, longer).getbbox() or (0, 0, 0, 0)
    if max(right - left, bottom - top) > _UNIT:  # some writers leave out bits of the last unit
        raise truncated("its pixels end before the picture does")
    return image


def _small(stream: bytes) -> Image.Image:
    """A pixel for each block of eight by eight, which takes no room."""
    image = JpegImageFile(io.BytesIO(stream))
    image.draft(None, (-(-image.width // 8), -(-image.height // 8)))
    image.load()
    return image


def _ends_flat(image: Image.Image) -> bool:
    """Whether the last rows have one colour, as few pictures of cameras do: others need no second look."""
    with own_pixel_limit(4 * image.width):
        strip = image.crop((0, max(0, image.height - 4), image.width, image.height))
    return len(strip.getcolors(2) or ()) == 1


def check_scans(data: bytes) -> None:
    """Refuse a JPEG of any kind (12 bits, lossless: another decoder's) with more scans than encoders write."""
    if data.count(b"\xff\xda") > MOST_SCANS:  # within pixels the pair does not occur
        raise Refusal(f"its JPEG has more than {MOST_SCANS} scans, which is work without pixels", _PLAIN)


class _Walk:
    """One pass over the segments of a JPEG."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._facts = JpegFacts(kept=[data[:2]])
        self._shares: dict[int, float] = {}
        self._sampling: dict[int, tuple[int, int]] = {}
        self._unseen: set[int] = set()
        self._interval = 0
        self._notes = {b"Exif\0\0": b"", b"http://ns.adobe.com/xap/1.0/\0": b""}

    def facts(self) -> JpegFacts:
        position = 2
        for _ in range(_MOST_SEGMENTS):
            found = _MARKER.search(self._data, position)
            if found is None:
                break  # cut off: the decoder says so, or finds that all pixels are there
            start, marker = found.start(), self._data[found.start() + 1]
            if marker == _EOI:
                self._facts.kept.append(self._data[start : start + 2])
                break
            position = self._segment(start, marker)
        else:
            raise Refusal(f"its JPEG has more than {_MOST_SEGMENTS:,} segments", EXPORT_AGAIN)
        facts = self._facts
        if not facts.components or not facts.scans:
            raise truncated() if not facts.components else truncated("it ends before its pixels")
        if self._unseen:  # the decoder would leave them grey
            raise truncated("it ends before its colours")
        facts.orientation = exif.orientation(*self._notes.values())
        return facts

    def _segment(self, start: int, marker: int) -> int:
        """Take one segment in; returns where the next marker is looked for."""
        if marker in (0x01, _SOI):  # without a length
            return start + 2
        body = self._data[start + 4 :]
        length = int.from_bytes(self._data[start + 2 : start + 4], "big")
        end = start + 2 + length
        if length < 2 or end > len(self._data):
            raise truncated()
        body = body[: length - 2]
        if marker in _FRAMES:
            self._frame(marker, body)
        elif marker == _APP1:
            self._note(body)
        elif marker == _APP2 and body[: len(_PROFILE)] == _PROFILE and not self._facts.profile:
            self._facts.profile = bytes(body[len(_PROFILE) + 1 :])
        elif marker == _APP14:
            self._facts.adobe |= bytes(body[:5]) == b"Adobe"
        if marker == _SOS:
            names = self._scan(body)
            after = _MARKER.search(self._data, end)
            begin, end = end, after.start() if after else len(self._data)
            if self._interval:
                self._check_restarts(self._data[begin:end], names)
        elif marker == _DRI:
            self._interval = int.from_bytes(body[:2], "big")
        if marker in (_APP0, _APP14) or not (_APP0 <= marker <= _APP15 or marker == _COM):
            self._facts.kept.append(self._data[start:end])
        return end

    def _frame(self, marker: int, body: memoryview) -> None:
        facts = self._facts
        if _FRAMES[marker]:
            raise Refusal(f"it is a {_FRAMES[marker]}", "save it as a plain JPEG or as PNG")
        if facts.components or len(body) < 6 or len(body) < 6 + 3 * body[5]:
            raise Refusal("the image is damaged (its JPEG frame)", EXPORT_AGAIN)
        facts.precision, facts.components = body[0], body[5]
        facts.height, facts.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        facts.progressive, facts.sequential = marker in _PROGRESSIVE, marker in _SEQUENTIAL
        if facts.precision != 8:
            raise Refusal(f"it is a JPEG of {facts.precision} bits", "save it as a 16-bit PNG or TIFF")
        if facts.components not in (1, 3, 4):
            raise Refusal(f"it is a JPEG of {facts.components} components", "save it as grey or RGB")
        places = range(6, 6 + 3 * body[5], 3)
        self._sampling = {body[place]: (body[place + 1] >> 4, body[place + 1] & 15) for place in places}
        total = sum(wide * high for wide, high in self._sampling.values()) or 1
        self._shares = {name: wide * high / total for name, (wide, high) in self._sampling.items()}
        self._unseen = set(self._sampling)

    def _scan(self, body: memoryview) -> bytes:
        """Count a scan; the names of its components."""
        facts = self._facts
        facts.scans += 1
        names = bytes(body[1 : 1 + 2 * body[0] : 2]) if len(body) else b""
        self._unseen -= set(names)
        facts.passes += sum(self._shares.get(name, 0.0) for name in names)
        if facts.scans > MOST_SCANS or facts.passes > MOST_PASSES:
            found = min(facts.scans - 1, MOST_SCANS)
            raise Refusal(f"its JPEG has more than {found} scans, which is work without pixels", _PLAIN)
        return names

    def _check_restarts(self, coded: memoryview, names: bytes) -> None:
        """The decoder goes on after a part that is lost, with what follows shifted. Raises `Refusal`."""
        found = [mark[0] & 7 for mark in _RESTART.findall(coded)]
        due = -(-self._units(names) // self._interval) - 1
        if len(found) < due or any(number != place % 8 for place, number in enumerate(found[: max(0, due)])):
            raise Refusal("the image is damaged (parts between its JPEG's restart markers are lost)", EXPORT_AGAIN)

    def _units(self, names: bytes) -> int:
        """Minimum coded units of a scan of these components (ITU-T T.81, A.2)."""
        factors = [self._sampling.get(name, (1, 1)) for name in names]
        whole = [max(1, *(factor[axis] for factor in self._sampling.values())) for axis in (0, 1)]
        units = 1
        for axis, side in enumerate((self._facts.width, self._facts.height)):
            own = -(-side * factors[0][axis] // whole[axis]) if len(factors) == 1 else side
            units *= -(-own // (8 if len(factors) == 1 else 8 * whole[axis]))
        return units

    def _note(self, body: memoryview) -> None:
        for name, content in self._notes.items():
            if not content and body[: len(name)] == name:
                self._notes[name] = bytes(body[len(name) : _MOST_NOTES])
                return
