"""The pictures of a TIFF: pages at full resolution; reduced copies of a page are no picture.

What counts as a picture: every directory of the chain, and those below a reduced page (DNG keeps the photograph there),
less those that the file marks as a reduced copy or as a mask (NewSubfileType bits 0 and 2, SubfileType 2), less what
lies below a page at full resolution (pyramids of OME-TIFF), less unmarked pyramid levels: tiled pages whose sides are
those of the largest page divided by one whole number, and ImageMagick's (`ptif:`), which are halved down to 64 pixels;
in slides of Aperio and Hamamatsu all pages but the largest size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from anomalyclip.io import ifd as directory
from anomalyclip.io.ifd import Container, Directory
from anomalyclip.io.limits import DEFAULT_MAX_FRAMES, check_together
from anomalyclip.io.memo import Memo
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

MOST_DIRECTORIES = 100_000
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SUBFILE, _DESCRIPTION, _DEPTH, _UIC2, _NDPI = 255, 270, 32997, 33629, 65420
_SUBDIRECTORIES_MOST = 64
_SMALLEST = 64  # a side at which ImageMagick halves no more
_DESCRIBED = 512  # characters in which writers say who they are


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


class Pictures(NamedTuple):
    """places: byte offsets of the directories that are pictures, in order; at least one. masked: whether pages beside
    them say which pixels count (GDAL's internal masks)."""

    places: tuple[int, ...]
    masked: bool


_seen: Memo[Pictures] = Memo(4)


def pictures(file: BinaryIO) -> Pictures:
    """Which directories are pictures. Rewinds the file. Raises `Refusal`."""
    try:
        return _seen.of(file, lambda: _pictures(file))
    except (struct.error, OverflowError) as error:
        raise truncated("its directory of tags is cut off") from error
    finally:
        file.seek(0)


def _pictures(file: BinaryIO) -> Pictures:
    container, place = directory.open_container(file)
    chain = list(_chain(file, container, place))
    if not chain:
        raise truncated("it has no directory of tags")
    if len(chain) == 1:
        _refuse_hidden(chain[0])
    found = [picture for page in chain for picture in _below(file, container, page)]
    kept = _without_levels(found or chain[:1])
    pixels = sum(width * height for width, height in (page.size for page in kept[:DEFAULT_MAX_FRAMES]))
    check_together(len(kept), pixels if len(kept) > 1 else 0, container.size)
    masked = bool(found) and any(page.kind & _MASK for page in chain)
    return Pictures(tuple(page.offset for page in kept), masked)


def _chain(file: BinaryIO, container: Container, place: int) -> Iterator[_Page]:
    """Directories as they follow each other; a loop ends the chain, and so does a damaged pointer behind whole pages.

    Directories that overlap could make a small file cost any time: together they are no longer than the file.
    """
    visited, tables = set[int](), 0
    while place and place not in visited and len(visited) < MOST_DIRECTORIES:
        if visited and place >= container.size:
            return
        visited.add(place)
        entries = directory.read_directory(file, container, place)
        tables += len(entries.entries) * struct.calcsize(container.entry)
        if tables > container.size:
            raise Refusal("its directories of tags overlap", EXPORT_AGAIN)
        yield _page(file, entries)
        place = entries.next


def _below(file: BinaryIO, container: Container, page: _Page) -> Iterator[_Page]:
    if page.kind & _MASK:
        return
    if not page.kind & _REDUCED:
        yield page
        return
    for place in dict.fromkeys(page.subdirectories):
        inner = _page(file, directory.read_directory(file, container, place))
        if not inner.kind & (_REDUCED | _MASK):
            yield inner


def _without_levels(found: list[_Page]) -> list[_Page]:
    if len(found) == 1:
        return found
    largest = max(found, key=lambda page: page.size[0] * page.size[1])
    if any(page.slide for page in found):
        return [page for page in found if page.size == largest.size]
    if _is_halved([page.size for page in found]):
        return found[:1]
    return [page for page in found if not _is_level(page, largest)]


def _is_halved(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether these are ImageMagick's pyramid: no tiles and no marks, but each half of the one before, to the end."""
    halves = all(
        after == (width // 2, height // 2) and min(width, height) > _SMALLEST
        for (width, height), after in pairwise(sizes)
    )
    return halves and 0 < min(sizes[-1]) <= _SMALLEST


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


def _page(file: BinaryIO, entries: Directory) -> _Page:
    """What tells whether a directory is a picture. Damage in these tags is no reason to lose it: `layout` judges it."""
    described = entries.values(file, _DESCRIPTION, _DESCRIBED, extra=True).tobytes()
    kind = entries.integer(file, directory.SUBFILE, -1)
    if kind < 0:
        kind = _REDUCED if entries.integer(file, _SUBFILE, 1) == 2 else 0
    return _Page(
        entries.place,
        kind,
        (entries.integer(file, directory.WIDTH, 0), entries.integer(file, directory.HEIGHT, 0)),
        directory.TILE_WIDTH in entries,
        described,
        entries.integers(file, directory.SUB_DIRECTORIES, _SUBDIRECTORIES_MOST),
        described.startswith(b"Aperio") or _NDPI in entries,
        max(entries.integer(file, _DEPTH, 1), entries.count(_UIC2)),
    )
