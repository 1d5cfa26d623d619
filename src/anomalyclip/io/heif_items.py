"""How many pictures a HEIF file (HEIC, AVIF) shows: thumbnails, tiles, alpha and depth planes are parts of others."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

from anomalyclip.io.boxes import child, top_level

_IMAGES = frozenset((b"hvc1", b"hev1", b"av01", b"avc1", b"j2k1", b"jpeg", b"unci", b"grid", b"iden", b"iovl"))
_HIDDEN = 1  # flag of an item that is not meant to be shown
_MOST_ITEMS = 10_000


def count_pictures(boxes: Iterable[tuple[bytes, memoryview]]) -> int:
    """Pictures among the items of a file; 0 where it lists none (ISO 23008-12, 6).

    boxes: (kind, body) of all boxes, those inside `meta` among them. Damage ends the count.
    """
    found: dict[bytes, set[int]] = {kind: set() for kind in _LISTS}
    for kind, body in boxes:
        if kind in _LISTS:
            found[kind] |= _listed(kind, body)
    images, parts, primary = found.values()
    return len((images - parts) | (images & primary))


def shown(meta: memoryview, kind: bytes) -> list[bytes]:
    """The boxes of one kind that describe the picture that is shown, else the first tile it is made of.

    meta: its boxes. What thumbnails, depth and gain maps have of them does not count: a gain map may well be HDR
    beside a picture that is not.
    """
    properties = child(meta, b"iprp")
    listed = child(properties, b"ipco")
    found = [(name, bytes(listed[start:end])) for name, start, end in top_level(listed)]
    with suppress(struct.error, IndexError, StopIteration):
        primary = next(_primary(child(meta, b"pitm")))
        numbers = _associated(child(properties, b"ipma"))
        for item in (primary, *_inputs(child(meta, b"iref"), primary)[:1]):
            own = [found[number - 1] for number in numbers.get(item, ()) if 0 < number <= len(found)]
            if boxes := [body for name, body in own if name == kind]:
                return boxes
    return []


def _associated(body: memoryview) -> dict[int, list[int]]:
    """Item -> numbers of its properties, from 1 (ISO 14496-12, 8.11.14)."""
    of: dict[int, list[int]] = {}
    version, wide = body[0], body[3] & 1
    size, position = (4 if version else 2), 8
    for _ in range(min(int.from_bytes(body[4:8], "big"), _MOST_ITEMS)):
        item, count = int.from_bytes(body[position : position + size], "big"), body[position + size]
        position += size + 1
        places = range(position, position + count * (wide + 1), wide + 1)
        of[item] = [int.from_bytes(body[at : at + wide + 1], "big") & (0x7FFF if wide else 0x7F) for at in places]
        position += count * (wide + 1)
    return of


def _listed(kind: bytes, body: memoryview) -> set[int]:
    with suppress(struct.error, IndexError):
        return set(_LISTS[kind](body))
    return set()


def _images(body: memoryview) -> Iterator[int]:
    """Items that are images and meant to be shown."""
    position = 8 if body[0] else 6
    for _ in range(_MOST_ITEMS):
        if position + 8 > len(body):
            return
        length, kind, version = struct.unpack_from(">I4sB", body, position)
        entry = body[position + 8 : position + length]
        if kind == b"infe" and version in (2, 3):
            wide = 4 if version == 3 else 2
            if bytes(entry[6 + wide : 10 + wide]) in _IMAGES and not entry[3] & _HIDDEN:
                yield int.from_bytes(entry[4 : 4 + wide], "big")
        if length < 8:
            return
        position += length


def _parts(body: memoryview) -> Iterator[int]:
    """Items that belong to another: thumbnails and auxiliary planes of it, tiles and inputs of a derived one."""
    for kind, item, others in _references(body):
        if kind in (b"thmb", b"auxl"):
            yield item
        elif kind == b"dimg":
            yield from others


def _inputs(body: memoryview, item: int) -> list[int]:
    """What an item is made of."""
    return [other for kind, one, others in _references(body) if kind == b"dimg" and one == item for other in others]


def _references(body: memoryview) -> Iterator[tuple[bytes, int, list[int]]]:
    """(kind, from which item, to which ones) of every reference; nothing from where the box is damaged."""
    if len(body) < 4:
        return
    wide, position = (4 if body[0] else 2), 4
    for _ in range(_MOST_ITEMS):
        if position + 8 > len(body):
            return
        length, kind = struct.unpack_from(">I4s", body, position)
        whole = body[position + 8 : position + length]
        places = range(wide + 2, len(whole) - wide + 1, wide)
        others = [int.from_bytes(whole[place : place + wide], "big") for place in places]
        yield kind, int.from_bytes(whole[:wide], "big"), others
        if length < 8:
            return
        position += length


def _primary(body: memoryview) -> Iterator[int]:
    yield int.from_bytes(body[4 : 8 if body[0] else 6], "big")


_LISTS = {b"iinf": _images, b"iref": _parts, b"pitm": _primary}
