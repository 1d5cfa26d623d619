"""TIFF: the first page's header read by ourselves, deep pixels decoded by OpenCV.

Pillow reads 8-bit TIFFs well. Deeper ones it cuts to the upper byte (16-bit RGB), swaps wrongly (compressed big-endian
floats) or does not know (float64), while OpenCV reads them exactly; so the header decides who decodes. The header also
says where the strips lie, which finds a truncated file before a decoder prints its own complaints.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from anomalyclip.io.depth import Raster
from anomalyclip.io.opencv import decode_unchanged
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION = 256, 257, 258, 259, 262, 266, 274
SAMPLES, ROWS_PER_STRIP, PLANAR, PREDICTOR = 277, 278, 284, 317
TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 338, 339
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
# All that decoding grey and RGB pixels needs, and all that a decoder gets to see; these are lists of integers.
_WANTED = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION, SAMPLES, ROWS_PER_STRIP, PLANAR}
_WANTED |= {PREDICTOR, TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES, SAMPLE_FORMAT, *_CHUNKS[0], *_CHUNKS[1]}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # TIFF field type -> struct code


@dataclass(frozen=True)
class Layout:
    """The two flavours of the container: byte order, and the 64-bit offsets of BigTIFF."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        """Struct code of an offset."""
        return "Q" if self.big else "I"

    @property
    def entry(self) -> str:
        """Struct code of a directory entry: tag, type, count, values or their offset."""
        return f"{self.order}HH{self.word}{8 if self.big else 4}s"

    @property
    def count(self) -> str:
        """Struct code of the number of entries."""
        return f"{self.order}{'Q' if self.big else 'H'}"


@dataclass(frozen=True)
class TiffHeader:
    """The tags of the first page that matter here, each with its field type and its values."""

    layout: Layout
    tags: dict[int, tuple[int, tuple[int, ...]]]

    def all(self, tag: int) -> tuple[int, ...]:
        return self.tags.get(tag, (0, ()))[1]

    def first(self, tag: int, default: int) -> int:
        return next(iter(self.all(tag)), default)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) to allocate: of the image, or of one tile where that is larger."""
        width, height = self.first(WIDTH, 0), self.first(HEIGHT, 0)
        tile = self.first(TILE_WIDTH, 0), self.first(TILE_HEIGHT, 0)
        return tile if tile[0] * tile[1] > width * height > 0 else (width, height)

    @property
    def deep(self) -> bool:
        """Whether the samples are anything but unsigned integers of at most 8 bits."""
        return any(bits > 8 for bits in self.all(BITS)) or self.first(SAMPLE_FORMAT, 1) not in (1, 4)


def read_header(file: BinaryIO) -> TiffHeader:
    """Tags of the first page, classic TIFF or BigTIFF. Raises `Refusal` where the file ends before its parts do."""
    try:
        end = file.seek(0, 2)
        header = _first_directory(file)
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error
    finally:
        file.seek(0)
    for offsets, counts in _CHUNKS:
        for offset, count in zip(header.all(offsets), header.all(counts), strict=False):
            if offset + count > end:
                raise truncated(f"pixel data ends at byte {offset + count:,}, the file at {end:,}")
    return header


def _first_directory(file: BinaryIO) -> TiffHeader:
    file.seek(0)
    magic = file.read(4)
    layout = Layout("<" if magic[:2] == b"II" else ">", 43 in magic[2:])
    file.seek(8 if layout.big else 4)
    file.seek(_read(file, layout.order + layout.word)[0])
    entries = [_read(file, layout.entry) for _ in range(min(_read(file, layout.count)[0], 4096))]
    tags: dict[int, tuple[int, tuple[int, ...]]] = {}
    for tag, kind, count, field in entries:
        if tag not in _WANTED:
            continue
        # A second width that another decoder believes would get round the pixel limit.
        if tag in tags or kind not in _INTEGERS:
            raise Refusal(f"its TIFF tag {tag} is repeated or not an integer", EXPORT_AGAIN)
        tags[tag] = kind, _values(file, layout, _INTEGERS[kind], count, field)
    return TiffHeader(layout, tags)


def _read(file: BinaryIO, code: str) -> tuple[Any, ...]:
    return struct.unpack(code, file.read(struct.calcsize(code)))


def _values(file: BinaryIO, layout: Layout, code: str, count: int, field: bytes) -> tuple[int, ...]:
    size = struct.calcsize(layout.order + code) * count
    if size > len(field):
        file.seek(struct.unpack(layout.order + layout.word, field)[0])
        field = file.read(size)
    return struct.unpack(f"{layout.order}{count}{code}", field[:size])


def with_own_directory(data: bytes, header: TiffHeader) -> bytes:
    """The same pixels under a directory of the tags in `header` alone.

    A decoder then believes exactly what was checked here, and does not comment on the private tags that cameras and
    microscopes write.
    """
    layout = header.layout
    out = bytearray(data)
    out += b"\0" * (-len(out) % 8)
    entries = []
    for tag, (kind, values) in sorted(header.tags.items()):
        field = struct.pack(f"{layout.order}{len(values)}{_INTEGERS[kind]}", *values)
        room = 8 if layout.big else 4
        if len(field) > room:
            where, field = len(out), field + b"\0" * (-len(field) % 8)
            out += field
            field = struct.pack(layout.order + layout.word, where)
        entries.append(struct.pack(layout.entry, tag, kind, len(values), field.ljust(room, b"\0")))
    struct.pack_into(layout.order + layout.word, out, 8 if layout.big else 4, len(out))
    out += struct.pack(layout.count, len(entries)) + b"".join(entries) + b"\0" * 8  # no next page
    return bytes(out)


def decode_deep(file: BinaryIO, header: TiffHeader) -> Raster:
    """Pixels of a TIFF that is more than 8 bits deep, orientation applied, with their full precision."""
    samples, photometric = header.first(SAMPLES, 1), header.first(PHOTOMETRIC, 1)
    if header.first(PLANAR, 1) == 2 and samples > 1:
        raise Refusal(
            "it is a TIFF deeper than 8 bits with separate colour planes",
            "save it with interleaved colours (planar configuration 1)",
        )
    if photometric > 2 or samples > 4 or (samples > 1 and photometric != 2):
        raise Refusal("its TIFF pixel layout is not grey, RGB or RGBA", "save it as a grey or RGB TIFF")
    file.seek(0)
    raster = decode_unchanged(with_own_directory(file.read(), header), "TIFF")
    values = raster.values
    if values.dtype.name == "int32" and header.first(SAMPLE_FORMAT, 1) == 1:
        values = values.view("uint32")  # OpenCV 4 has no unsigned 32-bit type
    alpha = raster.alpha if header.first(EXTRA_SAMPLES, 2) else None  # 0: a channel of unknown meaning
    return Raster(values, alpha, white_is_zero=photometric == 0)
