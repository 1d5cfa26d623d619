"""PNG: chunks walked by ourselves, decoded by Pillow (up to 8 bits) or OpenCV (16 bits, of which Pillow keeps 8).

A decoder gets the chunks that pixels need, in one piece, and no others: OpenCV would allocate whatever length a damaged
chunk declares (gigabytes), Pillow would inflate texts and profiles and walk through a million empty chunks.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from anomalyclip.io import exif, light
from anomalyclip.io.depth import Raster, Stated
from anomalyclip.io.notes import NOTES, beyond_palette, notes_of
from anomalyclip.io.opencv import decode_unchanged
from anomalyclip.io.quiet import quiet_stderr
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> channels
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_COLOURS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA"})
_CHECKED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"sBIT"})
_MOST_CHUNKS = 200_000  # 8 kB each, as libpng writes them, are 1.6 GB
_MOST_NOTES = 1 << 20
_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
_RAW_PROFILE = re.compile(rb"Raw profile type (?:exif|APP1)\0")  # how ImageMagick writes EXIF
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_INFLATED_AT_ONCE = 1 << 20


@dataclass
class PngFacts:
    """What the chunks say. depth: bits per channel. significant: sBIT's largest number of bits of a colour, or None.
    transparent: the stored grey that tRNS makes transparent, or None. narrow: whether samples leave room below black
    and above white, as video's do. told: what has to be told of its colours."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    significant: int | None = None
    transparent: int | None = None
    orientation: int = 1
    narrow: bool = False
    animated: bool = False
    told: tuple[str, ...] = ()
    before: list[memoryview] = field(default_factory=list)
    pixels: list[memoryview] = field(default_factory=list)

    @property
    def channels(self) -> int:
        return _CHANNELS[self.colour]

    @property
    def colours(self) -> int:
        """Of the palette; 0 without one."""
        return next((len(part) // 3 - 4 for part in self.before if bytes(part[4:8]) == b"PLTE"), 0)

    def beyond_palette(self, image: Image.Image) -> int:
        """How many pixels have a number that the palette has no colour for; decoders make them black."""
        if self.colour != 3 or self.colours >= 2**self.depth:
            return 0
        return sum(image.histogram()[self.colours :])

    def stream(self) -> bytes:
        """A PNG of the chunks that pixels need."""
        data = b"".join(self.pixels)
        return b"".join((_SIGNATURE, *self.before, _chunk(b"IDAT", data), _chunk(b"IEND", b"")))

    def of(self, width: int, height: int, pixels: list[memoryview]) -> PngFacts:
        """Those of a further picture, of another size and in the same colours."""
        header = _chunk(b"IHDR", struct.pack(">II", width, height) + self.before[0][16:21])
        return replace(self, width=width, height=height, before=[memoryview(header), *self.before[1:]], pixels=pixels)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def read_facts(file: BinaryIO) -> PngFacts:
    """Walk the chunks; the pictures of an animation behind the first are left out. Raises `Refusal`."""
    file.seek(0)
    data = memoryview(file.read())
    facts: PngFacts | None = None
    colours: dict[bytes, bytes] = {}
    notes, xmp, position = b"", b"", len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if position + 12 > len(data):
            raise truncated()
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise truncated(f"a chunk ends at byte {end:,}, the file at {len(data):,}")
        body = data[position + 8 : end - 4]
        if kind == b"CgBI":
            raise Refusal(
                "it is a PNG in Apple's own form for iPhone apps (CgBI)",
                "turn it back with: pngcrush -revert-iphone-optimizations",
            )
        if (facts is None) != (kind == b"IHDR"):
            what = "no header" if facts is None else "two headers"
            raise Refusal(f"the image is damaged ({what})", EXPORT_AGAIN)
        checksum = int.from_bytes(data[end - 4 : end], "big")
        if kind in _CHECKED and zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise Refusal("the image is damaged (a checksum is wrong)", EXPORT_AGAIN)
        if facts is None:
            facts = _header(body)
        if kind in (b"IHDR", b"PLTE"):
            facts.before.append(data[position:end])
        elif kind == b"tRNS":
            own = _transparent(bytes(body), facts)
            facts.before.append(memoryview(_chunk(kind, own)))
            if facts.colour == 0 and length == 2:
                facts.transparent = int.from_bytes(own, "big")
        elif kind == b"IDAT" and length:
            facts.pixels.append(body)
        elif kind == b"acTL":
            facts.animated = True
        elif kind == b"sBIT":
            facts.significant = _significant(body, facts.colour)
        elif kind in _COLOURS:
            colours.setdefault(kind, bytes(body[:_MOST_NOTES]))
        elif kind == b"eXIf":
            notes = bytes(body[:_MOST_NOTES])
        elif kind == b"iTXt" and body[: len(_XMP)] == _XMP:
            xmp = bytes(body[:_MOST_NOTES])
        elif kind in (b"zTXt", b"tEXt") and _RAW_PROFILE.match(body):
            notes = notes or _raw_profile(kind, bytes(body[:_MOST_NOTES]))
        elif kind == b"IEND":
            break
        position = end
    else:
        raise Refusal(f"it has more than {_MOST_CHUNKS:,} chunks", EXPORT_AGAIN)
    if facts is None or not facts.pixels:
        raise truncated("it holds no pixels")
    if facts.colour == 3 and not any(bytes(part[4:8]) == b"PLTE" for part in facts.before):
        raise Refusal("the image is damaged (its palette is missing)", EXPORT_AGAIN)  # Pillow: all black
    if len(facts.before) > 3:
        raise Refusal("the image is damaged (a palette is there twice)", EXPORT_AGAIN)
    facts.orientation = exif.orientation(notes, xmp)
    facts.told, facts.narrow = _coding(colours, facts.depth)
    return facts


def _coding(chunks: dict[bytes, bytes], depth: int) -> tuple[tuple[str, ...], bool]:
    """(what has to be told, whether the range is narrow) by the first chunk that counts (PNG third edition, 4.3)."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[2] == 0:  # PNG allows no other matrix than RGB's
        if not cicp[3] and depth < 8:
            raise Refusal(f"its cICP claims the narrow range of video, its samples have {depth} bits", EXPORT_AGAIN)
        return light.note_of(cicp[1], "cICP"), not cicp[3]
    if b"iCCP" in chunks:
        name, _, packed = chunks[b"iCCP"].partition(b"\0")
        profile = b""
        with suppress(zlib.error):
            profile = zlib.decompressobj().decompress(packed[1:], _MOST_NOTES)
        return light.note_of_profile(profile, name.decode("latin-1")), False
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big")
    if gamma and b"sRGB" not in chunks:
        return light.note_of_gamma(gamma / 100_000), False
    return (), False


def _raw_profile(kind: bytes, body: bytes) -> bytes:
    """EXIF written as text: a name, a length, and hexadecimal digits, deflated in zTXt. Nothing where it is damaged."""
    text = body.partition(b"\0")[2]
    with suppress(zlib.error, ValueError):
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], 2 * _MOST_NOTES)
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii", "replace"))
    return b""


def _header(body: memoryview) -> PngFacts:
    if len(body) != 13:
        raise Refusal("the image is damaged (its PNG header)", EXPORT_AGAIN)
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(colour, ()):
        raise Refusal(f"its PNG header declares {depth} bits of colour type {colour}", EXPORT_AGAIN)
    return PngFacts(width, height, depth, colour, interlace == 1)


def _transparent(body: bytes, facts: PngFacts) -> bytes:
    """tRNS of grey or of a colour: of its 16 bits only those count that samples have (PNG third edition, 11.3.1.1)."""
    samples = facts.channels if facts.colour in (0, 2) else 0
    if len(body) != 2 * samples:
        return body
    mask = 2**facts.depth - 1
    return struct.pack(f">{samples}H", *(value & mask for value in struct.unpack(f">{samples}H", body)))


def _significant(body: memoryview, colour: int) -> int | None:
    colours = 3 if colour in (2, 3, 6) else 1
    return max(body[:colours]) if len(body) >= colours else None


def decode(facts: PngFacts) -> Image.Image | Raster:
    """Pixels of a PNG whose facts were checked; 16-bit ones at their full depth. Raises `Refusal`."""
    if facts.depth == 16:
        return _decode_deep(facts)
    image = PngImageFile(io.BytesIO(facts.stream()))
    image.load()
    last = image.crop((0, image.height - 1, image.width, image.height))
    if facts.interlaced or not any(last.tobytes()):  # rows that a short stream left out are 0, and Pillow says nothing
        _check_stream(facts)
    facts.pixels.clear()
    if (beyond := facts.beyond_palette(image)) > 0:
        image.info[NOTES] = (beyond_palette(beyond, facts.colours),)
    if facts.transparent is not None and facts.depth in (2, 4):  # Pillow scales the samples up, and not this one
        image.info["transparency"] = facts.transparent * 255 // (2**facts.depth - 1)
    return _widened(image) if facts.narrow else image


def _widened(image: Image.Image) -> Raster:
    """8 bits of narrow range with their scale."""
    has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
    alpha = np.ascontiguousarray(pixels[..., 3]) if has_alpha else None
    return Raster(np.ascontiguousarray(pixels[..., :3]), alpha, stated=_narrow(8), notes=notes_of(image))


def _narrow(depth: int) -> Stated:
    return Stated(float(16 << depth - 8), float(235 << depth - 8), "cICP's narrow range")


def _decode_deep(facts: PngFacts) -> Raster:
    _check_stream(facts)
    stream = facts.stream()
    facts.pixels.clear()
    if facts.interlaced:  # the one kind whose filters were not looked at
        with quiet_stderr():
            raster = decode_unchanged(stream, "PNG")
    else:
        raster = decode_unchanged(stream, "PNG")
    if facts.transparent is not None:  # of colours OpenCV makes alpha by itself
        raster.alpha = np.where(raster.values == facts.transparent, 0, 65535).astype(np.uint16)
    if facts.narrow:
        raster.stated = _narrow(16)
    elif facts.significant is not None and 1 <= facts.significant < 16:
        _use_significant_bits(raster, facts.significant)
    return raster


def _use_significant_bits(raster: Raster, bits: int) -> None:
    """sBIT: samples were scaled up to 16 bits, so the upper `bits` of each are the original sample (PNG 11.3.2.4)."""
    values, white = raster.values, float(2**bits - 1)
    raster.stated = Stated(0.0, white, f"sBIT {bits}")
    if values.max(initial=0) <= white and np.bitwise_and(values, (1 << 16 - bits) - 1).any():
        raster.notes += (f"its sBIT says {bits} bits and its samples were not scaled up to 16: taken as they are",)
    else:
        np.right_shift(values, 16 - bits, out=values)


def _check_stream(facts: PngFacts) -> None:
    """Inflate once without keeping anything: OpenCV's libpng says on the terminal what is wrong, and not to us."""
    left = list(_row_runs(facts))
    inflater, expected = zlib.decompressobj(), sum((row + 1) * rows for row, rows in left)
    found, row = 0, left[0][0] + 1
    try:
        for body in facts.pixels:
            pending: bytes | memoryview = body
            while len(pending) and found < expected:
                piece = inflater.decompress(pending, _INFLATED_AT_ONCE)
                filters = np.frombuffer(piece, np.uint8)[-found % row :: row]
                if not facts.interlaced and (filters[: -(-(expected - found) // row)] > 4).any():
                    raise Refusal("the image is damaged (an unknown filter)", EXPORT_AGAIN)
                found += len(piece)
                pending = inflater.unconsumed_tail
    except zlib.error as error:
        raise Refusal(f"the image is damaged ({error})", EXPORT_AGAIN) from error
    if found < expected:
        raise truncated(f"its pixels are {found:,} of {expected:,} bytes")


def _row_runs(facts: PngFacts) -> list[tuple[int, int]]:
    """(bytes of a row without its filter, number of rows) of the picture, or of each pass of an interlaced one."""
    pixel = facts.channels * facts.depth
    if not facts.interlaced:
        return [(-(-facts.width * pixel // 8), facts.height)]
    runs = []
    for left, top, step, down in _PASSES:
        across = -(-(facts.width - left) // step) if facts.width > left else 0
        rows = -(-(facts.height - top) // down) if facts.height > top else 0
        if across and rows:
            runs.append((-(-across * pixel // 8), rows))
    return runs
