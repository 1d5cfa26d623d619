"""TIFF directories, read by ourselves: every count and offset is bounded by the file before a byte is unpacked.

A directory is a table of (tag, type, count, value or offset). Ten bytes can claim four billion values, so values are
read only when asked for, and never more than the asker's bound. No library sees this table: what it says is checked by
`layout`, and codecs get pixels only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
DESCRIPTION, PROFILE, NODATA = 270, 34675, 42113
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 274, 277, 278, 279
PLANAR, T4_OPTIONS, PREDICTOR, WHITE_POINT, COLOUR_MAP = 284, 292, 317, 318, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES, INK_SET = 322, 323, 324, 325, 330, 332
EXTRA_SAMPLES, SAMPLE_FORMAT, SAMPLE_MIN, SAMPLE_MAX, JPEG_TABLES = 338, 339, 340, 341, 347
YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE = 529, 530, 532

# TIFF field type -> NumPy code without byte order; rationals are read as pairs of integers.
_TYPES = {
    1: "u1",
    2: "u1",
    3: "u2",
    4: "u4",
    5: "2u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    10: "2i4",
    11: "f4",
    12: "f8",
}
_TYPES |= {13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_INTEGERS = frozenset({1, 3, 4, 7, 13, 16, 18})
_MOST_ENTRIES = 4096  # a directory of a real file has 10 to 100

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Container:
    """The two flavours of the file: byte order, and the 64-bit offsets of BigTIFF. size: bytes of the file."""

    order: Literal["<", ">"]
    big: bool
    size: int

    @property
    def offset(self) -> str:
        """Struct code of an offset."""
        return f"{self.order}{'Q' if self.big else 'I'}"

    @property
    def entry(self) -> str:
        """Struct code of a directory entry: tag, type, count, values or their offset."""
        return f"{self.order}HHQ8s" if self.big else f"{self.order}HHI4s"


@dataclass(frozen=True)
class Directory:
    """One page's tags, none of whose values has been read yet. place: its offset. next: the next page's, or 0."""

    container: Container
    place: int
    next: int
    entries: dict[int, tuple[int, int, bytes]]
    repeated: frozenset[int] = field(default_factory=frozenset)

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def count(self, tag: int) -> int:
        """How many values a tag claims to have; 0 where it is absent."""
        return self.entries[tag][1] if tag in self.entries else 0

    def values(self, file: BinaryIO, tag: int, most: int, *, extra: bool = False) -> Values:
        """Up to `most` values of a tag as (n,) or, for rationals, (n, 2); empty where it is absent.

        Args:
            file: the file this directory was read from.
            tag: its number.
            most: how many values the format allows it to have here.
            extra: more than `most` are there for other readers and are left alone, instead of a refusal.

        Raises:
            Refusal: of an unknown type, too many, or beyond the file's end.
        """
        if tag not in self.entries:
            return np.empty(0, np.int64)
        kind, count, inline = self.entries[tag]
        if kind not in _TYPES:
            raise Refusal(f"its TIFF tag {tag} is not a number", EXPORT_AGAIN)
        if count > most and not extra:
            raise Refusal(f"its TIFF tag {tag} has {count:,} values, at most {most:,} fit its picture", EXPORT_AGAIN)
        dtype = np.dtype(f"{_TYPES[kind][:-2]}{self.container.order}{_TYPES[kind][-2:]}")
        size = dtype.itemsize * min(count, most)
        if dtype.itemsize * count > len(inline):
            start = struct.unpack(self.container.offset, inline)[0]
            if start + size > self.container.size:
                raise truncated(f"TIFF tag {tag} ends at byte {start + size:,}, the file at {self.container.size:,}")
            file.seek(start)
            inline = file.read(size)
        return np.frombuffer(inline[:size], dtype)

    def integers(self, file: BinaryIO, tag: int, most: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Values of a tag of integers, or `default` where it is absent or empty. Raises `Refusal`."""
        self._check_integers(tag)
        return tuple(int(value) for value in self.values(file, tag, most)) or default

    def integer(self, file: BinaryIO, tag: int, default: int) -> int:
        """The first value of a tag of integers. Raises `Refusal`."""
        self._check_integers(tag)
        return next((int(value) for value in self.values(file, tag, 1, extra=True)), default)

    def _check_integers(self, tag: int) -> None:
        # A second width that another reader believes would be a second picture.
        if tag in self.repeated or (tag in self.entries and self.entries[tag][0] not in _INTEGERS):
            raise Refusal(f"its TIFF tag {tag} is repeated or not an integer", EXPORT_AGAIN)


def open_container(file: BinaryIO) -> tuple[Container, int]:
    """Byte order and flavour of a TIFF, and the offset of its first directory. Raises `Refusal`."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(16)
    try:
        container = Container("<" if head[:2] == b"II" else ">", 43 in head[2:4], size)
        return container, struct.unpack_from(container.offset, head, 8 if container.big else 4)[0]
    except struct.error as error:
        raise truncated() from error


def read_directory(file: BinaryIO, container: Container, place: int) -> Directory:
    """The directory at `place`. Raises `Refusal` where the file ends before it or it has too many entries."""
    width = struct.calcsize(container.entry)
    counter = f"{container.order}{'Q' if container.big else 'H'}"
    try:
        if not 0 < place < container.size:
            raise truncated("its directory of tags is cut off")
        file.seek(place)
        count = struct.unpack(counter, file.read(struct.calcsize(counter)))[0]
        if count > _MOST_ENTRIES:
            raise Refusal(f"its directory claims {count:,} tags, at most {_MOST_ENTRIES:,} are read", EXPORT_AGAIN)
        table = file.read(width * count)
        entries: dict[int, tuple[int, int, bytes]] = {}
        repeated = set()
        for tag, kind, number, inline in struct.iter_unpack(container.entry, table):
            if tag in entries:
                repeated.add(tag)
            entries.setdefault(tag, (kind, number, inline))
        if len(table) < width * count:
            raise truncated("its directory of tags is cut off")
        after = file.read(struct.calcsize(container.offset))
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error
    # Some writers leave the last offset out at the end of the file.
    following = struct.unpack(container.offset, after)[0] if len(after) == struct.calcsize(container.offset) else 0
    return Directory(container, place, following, entries, frozenset(repeated))
