"""How many pictures a HEIF file (HEIC, AVIF) shows: thumbnails, tiles, alpha and depth planes are parts of others."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

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
    wide, position = (4 if body[0] else 2), 4
    for _ in range(_MOST_ITEMS):
        if position + 8 > len(body):
            return
        length, kind = struct.unpack_from(">I4s", body, position)
        whole = body[position + 8 : position + length]
        if kind in (b"thmb", b"auxl"):
            yield int.from_bytes(whole[:wide], "big")
        elif kind == b"dimg":
            for place in range(wide + 2, len(whole) - wide + 1, wide):
                yield int.from_bytes(whole[place : place + wide], "big")
        if length < 8:
            return
        position += length


def _primary(body: memoryview) -> Iterator[int]:
    yield int.from_bytes(body[4 : 8 if body[0] else 6], "big")


_LISTS = {b"iinf": _images, b"iref": _parts, b"pitm": _primary}
