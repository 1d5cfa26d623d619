"""The pictures of a TIFF: pages at full resolution, each as a file of its own; reduced copies of a page are no picture.

What counts as a picture: every directory of the chain, and those below a reduced page (DNG keeps the photograph there),
less those that the file marks as a reduced copy or as a mask (NewSubfileType bits 0 and 2, SubfileType 2), less what
lies below a page at full resolution (pyramids of OME-TIFF), less unmarked pyramid levels: tiled pages whose sides are
those of the largest page divided by one whole number; in slides of Aperio and Hamamatsu all pages but the largest size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from anomalyclip.io.memo import Memo
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

MOST_DIRECTORIES = 100_000
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_NEW_SUBFILE, _SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _DESCRIPTION = 254, 255, 256, 257, 259, 270
_TILE_WIDTH, _SUBDIRECTORIES, _DEPTH, _UIC2, _NDPI = 322, 330, 32997, 33629, 65420
_READ = {_NEW_SUBFILE, _SUBFILE, _WIDTH, _HEIGHT, _DESCRIPTION, _TILE_WIDTH, _SUBDIRECTORIES, _DEPTH, _UIC2, _NDPI}
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
#: What pixels need: sizes, layout, compression and its tables, palette, colour model; nothing that points elsewhere.
_PIXEL_TAGS = {256, 257, 258, 259, 262, 266, 274, 277, 278, 280, 281, 284, 292, 293, 317, 320, 322, 323, 332, 338, 339}
_PIXEL_TAGS |= {340, 341, 347, 529, 530, 531, 532, 33421, 33422, *_CHUNKS[0], *_CHUNKS[1]}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # TIFF field type -> NumPy's
_LONGEST = 1 << 20  # bytes of a tag that is no list of chunks: the largest palette has 393,216
_SUBDIRECTORIES_MOST = 64
_OLD_JPEG = 6

Entry = tuple[int, int, bytes]  # type, count, the 4 or 8 bytes that hold the values or their offset


@dataclass(frozen=True)
class _Flavour:
    """Byte order, and the 64-bit offsets of BigTIFF."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        return f"{self.order}{'Q' if self.big else 'I'}"

    @property
    def head(self) -> int:
        return 8 if self.big else 4


@dataclass(frozen=True)
class _Page:
    """A directory of the file: where it is, and what tells whether it is a picture."""

    offset: int
    kind: int
    size: tuple[int, int]
    tiled: bool
    description: bytes
    subdirectories: tuple[int, ...]
    slide: bool
    planes: int


_seen: Memo[tuple[int, ...]] = Memo(4)


def pictures(file: BinaryIO) -> tuple[int, ...]:
    """Byte offsets of the directories that are pictures, in order; at least one. Rewinds the file. Raises `Refusal`."""
    try:
        return _seen.of(file, lambda: _pictures(file))
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error
    finally:
        file.seek(0)


def is_plain(file: BinaryIO, offset: int) -> bool:
    """Whether every decoder comes to this directory by itself: the first one of a classic TIFF. Rewinds the file.

    Pillow does not know a BigTIFF of big-endian numbers.
    """
    file.seek(0)
    head = file.read(8)
    file.seek(0)
    return 43 not in head[2:4] and bool(struct.unpack_from("<I" if head[:2] == b"II" else ">I", head, 4)[0] == offset)


def _pictures(file: BinaryIO) -> tuple[int, ...]:
    file.seek(0)
    magic = file.read(4)
    flavour = _Flavour("<" if magic[:2] == b"II" else ">", 43 in magic[2:])
    file.seek(flavour.head)
    chain = list(_chain(file, flavour, _read(file, flavour.word)[0]))
    if not chain:
        raise truncated("it has no directory of tags")
    if len(chain) == 1:
        _refuse_hidden(chain[0])
    found = [picture for page in chain for picture in _below(file, flavour, page)]
    return tuple(page.offset for page in _without_levels(found or chain[:1]))


def _chain(file: BinaryIO, flavour: _Flavour, offset: int) -> Iterator[_Page]:
    """Directories as they follow each other; a loop ends the chain."""
    end, visited = file.seek(0, 2), set[int]()
    while offset and offset not in visited and len(visited) < MOST_DIRECTORIES:
        visited.add(offset)
        if offset >= end:
            if len(visited) == 1:
                raise truncated("its directory of tags is cut off")
            return  # a damaged pointer behind pages that are whole
        page, offset = _page(file, flavour, offset)
        yield page


def _below(file: BinaryIO, flavour: _Flavour, page: _Page) -> Iterator[_Page]:
    if page.kind & _MASK:
        return
    if not page.kind & _REDUCED:
        yield page
        return
    for offset in page.subdirectories:
        inner, _ = _page(file, flavour, offset)
        if not inner.kind & (_REDUCED | _MASK):
            yield inner


def _without_levels(found: list[_Page]) -> list[_Page]:
    if len(found) == 1:
        return found
    largest = max(found, key=lambda page: page.size[0] * page.size[1])
    if any(page.slide for page in found):
        return [page for page in found if page.size == largest.size]
    return [page for page in found if not _is_level(page, largest)]


def _is_level(page: _Page, largest: _Page) -> bool:
    """Whether a page is the largest one divided by a whole number, and both are stored as pyramids are."""
    if not (page.tiled and largest.tiled) or page.size == largest.size or 0 in page.size:
        return False
    factor = round(largest.size[0] / page.size[0])
    return factor > 1 and all(
        whole // factor <= side <= -(-whole // factor) for whole, side in zip(largest.size, page.size, strict=True)
    )


def _refuse_hidden(page: _Page) -> None:
    """Stacks that say their number elsewhere: ImageJ beyond 4 GB, MetaMorph, volumes. Taking the first is no answer."""
    planes = page.planes
    if page.description.startswith(b"ImageJ=") and (told := page.description.partition(b"\nimages=")[2]):
        digits = told.partition(b"\n")[0].strip()
        planes = max(planes, int(digits)) if digits[:9].isdigit() and len(digits) < 10 else planes
    if planes > 1:
        raise Refusal(
            f"it holds {planes:,} pictures in one TIFF page, a form that is not read",
            "save the stack with one page per picture",
        )


def _page(file: BinaryIO, flavour: _Flavour, offset: int) -> tuple[_Page, int]:
    """A directory, and where the next one lies."""
    entries, following = _entries(file, flavour, offset)

    def first(tag: int, default: int) -> int:
        kind, count, _ = entry = entries.get(tag, (3, 0, b""))
        if not count or kind not in _INTEGERS:
            return default
        return int(_integers(file, flavour, entry, most=1)[0])

    described = _bytes(file, flavour, entries[_DESCRIPTION], most=512) if _DESCRIPTION in entries else b""
    kind = first(_NEW_SUBFILE, -1)
    if kind < 0:
        kind = _REDUCED if first(_SUBFILE, 1) == 2 else 0
    below: tuple[int, ...] = ()
    if _SUBDIRECTORIES in entries and entries[_SUBDIRECTORIES][0] in _INTEGERS:
        below = tuple(_integers(file, flavour, entries[_SUBDIRECTORIES], most=_SUBDIRECTORIES_MOST).tolist())
    planes = max(first(_DEPTH, 1), entries[_UIC2][1] if _UIC2 in entries else 1)
    slide = described.startswith(b"Aperio") or _NDPI in entries
    size = first(_WIDTH, 0), first(_HEIGHT, 0)
    return _Page(offset, kind, size, _TILE_WIDTH in entries, described, below, slide, planes), following


def _entries(file: BinaryIO, flavour: _Flavour, offset: int, wanted: set[int] = _READ) -> tuple[dict[int, Entry], int]:
    file.seek(offset)
    code = f"{flavour.order}HH{'Q8s' if flavour.big else 'I4s'}"
    (count,) = _read(file, f"{flavour.order}{'Q' if flavour.big else 'H'}")
    if count > 65535:
        raise Refusal(f"its TIFF directory declares {count:,} tags", EXPORT_AGAIN)
    size = struct.calcsize(code)
    table = file.read(count * size)
    entries: dict[int, Entry] = {}
    for tag, kind, number, field in struct.iter_unpack(code, table[: len(table) // size * size]):
        entries.setdefault(tag, (kind, number, field))
    tail = file.read(struct.calcsize(flavour.word))
    following = struct.unpack(flavour.word, tail)[0] if len(tail) == struct.calcsize(flavour.word) else 0
    return {tag: entry for tag, entry in entries.items() if tag in wanted}, following


def _bytes(file: BinaryIO, flavour: _Flavour, entry: Entry, most: int) -> bytes:
    """The values of a tag as they are stored, cut to `most` of them."""
    kind, count, field = entry
    size = _SIZES.get(kind, 1) * min(count, most)
    if _SIZES.get(kind, 1) * count <= len(field):
        return field[:size]
    file.seek(struct.unpack(flavour.word, field)[0])
    data = file.read(size)
    if len(data) < size:
        raise truncated("the values of a TIFF tag are cut off")
    return data


def _integers(file: BinaryIO, flavour: _Flavour, entry: Entry, most: int) -> npt.NDArray[Any]:
    return np.frombuffer(_bytes(file, flavour, entry, most), flavour.order + _INTEGERS[entry[0]])


def _read(file: BinaryIO, code: str) -> tuple[Any, ...]:
    return struct.unpack(code, file.read(struct.calcsize(code)))


def extract(file: BinaryIO, offset: int) -> bytes:
    """The page whose directory lies at `offset` as a classic TIFF of one page: its pixel data and the tags they need.

    Memory: the page's own bytes. Raises `Refusal` where its parts lie outside the file or are larger than it together.
    """
    try:
        return _extract(file, offset)
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error


def _extract(file: BinaryIO, offset: int) -> bytes:
    end = file.seek(0, 2)
    file.seek(0)
    magic = file.read(4)
    flavour = _Flavour("<" if magic[:2] == b"II" else ">", 43 in magic[2:])
    entries, _ = _entries(file, flavour, offset, _PIXEL_TAGS)
    if (found := entries.get(_COMPRESSION)) and int(_integers(file, flavour, found, most=1)[0]) == _OLD_JPEG:
        raise Refusal("a page of it is compressed in the withdrawn JPEG form of TIFF 6", "save it with another one")
    out = bytearray(magic[:2] + struct.pack(f"{flavour.order}HI", 42, 0))
    values: dict[int, tuple[int, bytes]] = {}
    for where, sizes in _CHUNKS:
        if where in entries and sizes in entries:
            values |= _copied_chunks(file, flavour, end, (entries[where], entries[sizes]), out, (where, sizes))
    for tag, (kind, count, field) in entries.items():
        if tag in values:
            continue
        if kind not in _SIZES or _SIZES[kind] * count > _LONGEST:
            raise Refusal(f"its TIFF tag {tag} declares {count:,} values", EXPORT_AGAIN)
        data = _bytes(file, flavour, (kind, count, field), count)
        if kind in (16, 18):  # numbers of 64 bits are BigTIFF's
            kind, data = 4, _integers(file, flavour, (kind, count, field), count).astype(f"{flavour.order}u4").tobytes()
        values[tag] = kind, data
    return _assembled(out, flavour, values)


def _copied_chunks(
    file: BinaryIO, flavour: _Flavour, end: int, pair: tuple[Entry, Entry], out: bytearray, tags: tuple[int, int]
) -> dict[int, tuple[int, bytes]]:
    if any(kind not in _INTEGERS or count * _SIZES[kind] > end for kind, count, _ in pair):
        raise Refusal("its TIFF directory lists more pieces than the file can hold", EXPORT_AGAIN)
    offsets, counts = (_integers(file, flavour, each, most=each[1]).astype(np.uint64) for each in pair)
    length = min(len(offsets), len(counts))
    offsets, counts = offsets[:length], counts[:length]
    if float(counts.astype(np.float64).sum()) > end:
        raise Refusal("its TIFF pieces are larger together than the file", EXPORT_AGAIN)
    moved = np.zeros(length, f"{flavour.order}u4")
    for number, (offset, count) in enumerate(zip(offsets.tolist(), counts.tolist(), strict=True)):
        if offset + count > end:
            raise truncated(f"pixel data ends at byte {offset + count:,}, the file at {end:,}")
        moved[number] = len(out)
        file.seek(offset)
        out += file.read(count)
        out += b"\0" * (len(out) % 2)
    return {tags[0]: (4, moved.tobytes()), tags[1]: (4, counts.astype(moved.dtype).tobytes())}


def _assembled(out: bytearray, flavour: _Flavour, values: dict[int, tuple[int, bytes]]) -> bytes:
    table = b""
    for tag, (kind, data) in sorted(values.items()):
        field = data
        if len(data) > 4:
            out += b"\0" * (-len(out) % 8)
            field = struct.pack(f"{flavour.order}I", len(out))
            out += data
        table += struct.pack(f"{flavour.order}HHI", tag, kind, len(data) // _SIZES[kind]) + field.ljust(4, b"\0")
    out += b"\0" * (-len(out) % 8)
    struct.pack_into(f"{flavour.order}I", out, 4, len(out))
    out += struct.pack(f"{flavour.order}H", len(values)) + table + b"\0" * 4
    return bytes(out)
