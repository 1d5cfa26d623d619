"""TIFF: the first page's header read by ourselves, deep pixels decoded by OpenCV.

Pillow reads 8-bit TIFFs well. Deeper ones it cuts to the upper byte (16-bit RGB), swaps wrongly (compressed big-endian
floats) or does not know (float64), while OpenCV reads them exactly; so the header decides who decodes. The header also
says where the strips lie, which finds a truncated file before a decoder prints its own complaints.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from anomalyclip.io.depth import Raster
from anomalyclip.io.opencv import decode_unchanged
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, PLANAR, SAMPLE_FORMAT = 256, 257, 258, 262, 277, 284, 339
TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES = 322, 323, 338
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_WANTED = {WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, PLANAR, SAMPLE_FORMAT, TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES}
_WANTED |= {tag for pair in _CHUNKS for tag in pair}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # TIFF field type -> struct code


@dataclass(frozen=True)
class TiffHeader:
    """The tags of the first page that matter here; every value a tuple of integers."""

    tags: dict[int, tuple[int, ...]]

    def first(self, tag: int, default: int) -> int:
        values = self.tags.get(tag, ())
        return values[0] if values else default

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) to allocate: of the image, or of one tile where that is larger."""
        width, height = self.first(WIDTH, 0), self.first(HEIGHT, 0)
        tile = self.first(TILE_WIDTH, 0), self.first(TILE_HEIGHT, 0)
        return tile if tile[0] * tile[1] > width * height > 0 else (width, height)

    @property
    def deep(self) -> bool:
        """Whether the samples are anything but unsigned integers of at most 8 bits."""
        return any(bits > 8 for bits in self.tags.get(BITS, (1,))) or self.first(SAMPLE_FORMAT, 1) not in (1, 4)


def read_header(file: BinaryIO) -> TiffHeader:
    """Tags of the first page, classic TIFF or BigTIFF. Raises `Refusal` where the file ends before its parts do."""
    try:
        end = file.seek(0, 2)
        header = TiffHeader(_first_directory(file))
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error
    finally:
        file.seek(0)
    for offsets, counts in _CHUNKS:
        for offset, count in zip(header.tags.get(offsets, ()), header.tags.get(counts, ()), strict=False):
            if offset + count > end:
                raise truncated(f"pixel data ends at byte {offset + count:,}, the file at {end:,}")
    return header


def _first_directory(file: BinaryIO) -> dict[int, tuple[int, ...]]:
    file.seek(0)
    magic = file.read(4)
    order = "<" if magic[:2] == b"II" else ">"
    big = 43 in magic[2:]
    word, entry, count_code = ("Q", "HHQ8s", "Q") if big else ("I", "HHI4s", "H")

    def read(code: str) -> tuple[int, ...]:
        return struct.unpack(order + code, file.read(struct.calcsize(order + code)))

    if big:
        read("HH")  # the size of an offset, always 8, and a zero
    file.seek(read(word)[0])
    entries = [read(entry) for _ in range(min(read(count_code)[0], 4096))]
    tags: dict[int, tuple[int, ...]] = {}
    for tag, kind, count, field in entries:
        if tag not in _WANTED:
            continue
        # A second width that another decoder believes would get round the pixel limit.
        if tag in tags or kind not in _INTEGERS:
            raise Refusal(f"its TIFF tag {tag} is repeated or not an integer", EXPORT_AGAIN)
        tags[tag] = _values(file, order, _INTEGERS[kind], count, field)  # type: ignore[arg-type]
    return tags


def _values(file: BinaryIO, order: str, code: str, count: int, field: bytes) -> tuple[int, ...]:
    size = struct.calcsize(order + code) * count
    if size > len(field):
        file.seek(struct.unpack(order + ("I" if len(field) == 4 else "Q"), field)[0])
        field = file.read(size)
    return struct.unpack(f"{order}{count}{code}", field[:size])


def decode_deep(file: BinaryIO, header: TiffHeader) -> Raster:
    """Pixels of a TIFF that is more than 8 bits deep, orientation applied, with their full precision."""
    if header.first(PLANAR, 1) == 2 and header.first(SAMPLES, 1) > 1:
        raise Refusal(
            "it is a TIFF deeper than 8 bits with separate colour planes",
            "save it with interleaved colours (planar configuration 1)",
        )
    colour, photometric = header.first(SAMPLES, 1) > 1, header.first(PHOTOMETRIC, 1)
    if photometric > 2 or header.first(SAMPLES, 1) > 4 or (colour and photometric != 2):
        raise Refusal("its TIFF pixel layout is not grey, RGB or RGBA", "save it as a grey or RGB TIFF")
    raster = decode_unchanged(file.read(), "TIFF")
    values = raster.values
    if values.dtype.name == "int32" and header.first(SAMPLE_FORMAT, 1) == 1:
        values = values.view("uint32")  # OpenCV 4 has no unsigned 32-bit type
    alpha = raster.alpha if header.first(EXTRA_SAMPLES, 2) else None  # 0: a channel of unknown meaning
    return Raster(values, alpha, white_is_zero=photometric == 0)
