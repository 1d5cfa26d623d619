"""Animated GIF, WebP and PNG: how many pictures they hold, told without decoding, and each as a viewer shows it.

A picture of an animation is drawn over the ones before it, so the n-th one costs n decodings. The decoder therefore
stays open between one picture and the next, and the latest pictures are kept for threads that ask out of order.
"""

from __future__ import annotations

import atexit
import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from anomalyclip.io import apng, gif
from anomalyclip.io.canvas import Canvas
from anomalyclip.io.inspection import read_header
from anomalyclip.io.limits import DEFAULT_MAX_FRAMES, check_pixels, check_together
from anomalyclip.io.memo import Memo, identity
from anomalyclip.io.quiet import own_pixel_limit
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

MOST_COUNTED = 100_000
_ANY = 1 << 62
_KEPT = 16  # pictures: more than threads read ahead of each other
_KEPT_BYTES = 64 * 2**20


def count(file: BinaryIO, kind: str, max_pixels: int) -> int:
    """Pictures of a GIF, PNG or WebP, counted to MOST_COUNTED at most; a still one has 1. Rewinds the file.

    Raises `Refusal` where a picture needs more than `max_pixels`.
    """
    try:
        file.seek(0)
        return _COUNTS[kind](file, max_pixels)
    except (IndexError, struct.error) as error:  # a read came back short
        raise truncated() from error
    finally:
        file.seek(0)


def _gif(file: BinaryIO, max_pixels: int) -> int:
    facts = gif.read_facts(file)
    check_pixels(facts.width, facts.height, max_pixels)
    return _checked(file, min(facts.frames, MOST_COUNTED), facts.width, facts.height)


def _png(file: BinaryIO, max_pixels: int) -> int:
    """1 for a PNG without an animation; else its frame controls, and one more for a picture outside the animation."""
    animated, outside, frames = False, False, 0
    sides = (0, 0)
    for kind, body, _, _ in apng.chunks(file):
        if kind == b"IHDR":
            sides = struct.unpack(">II", body[:8])
            check_pixels(*sides, max_pixels)
        elif kind == b"acTL":
            animated = True
        elif kind == b"IDAT":
            if not animated:
                return 1
            outside = outside or frames == 0
        elif kind == b"fcTL":
            width, height, left, top, *_ = struct.unpack(">4I4x2B", body[4:26])
            if left + width > sides[0] or top + height > sides[1]:
                raise Refusal("a frame of its animation lies outside the image", EXPORT_AGAIN)
            frames += 1
            if frames >= MOST_COUNTED:
                break
    return _checked(file, max(frames + outside, 1), *sides)


def _webp(file: BinaryIO, max_pixels: int) -> int:
    head = file.read(30)
    if head[12:16] != b"VP8X" or not head[20] & 2:
        return 1
    width, height = (int.from_bytes(head[i : i + 3], "little") + 1 for i in (24, 27))
    check_pixels(width, height, max_pixels)
    file.seek(12)
    found = 0
    while len(chunk := file.read(8)) == 8 and found < MOST_COUNTED:
        found += chunk[:4] == b"ANMF"
        length = int.from_bytes(chunk[4:], "little")
        file.seek(length + length % 2, 1)
    return _checked(file, max(found, 1), width, height)


def _checked(file: BinaryIO, number: int, width: int, height: int) -> int:
    """The number, unless that many pictures, each drawn whole, are more than the file can hold."""
    check_together(number, (min(number, DEFAULT_MAX_FRAMES) if number > 1 else 0) * width * height, file.seek(0, 2))
    return number


_COUNTS: dict[str, Callable[[BinaryIO, int], int]] = {"GIF": _gif, "PNG": _png, "WEBP": _webp}
KINDS = frozenset(_COUNTS)
_DRAWN: dict[str, Callable[[BinaryIO, Any], Canvas | WebPImageFile]] = {
    "GIF": lambda _, facts: gif.Animation(facts),
    "PNG": apng.Animation,
    "WEBP": lambda file, _: WebPImageFile(file),
}


class _LetGo(Exception):  # noqa: N818 - what happened, nobody's fault
    """An animation was closed between being found and being asked: by a third file's thread, or by the one that read
    its last picture."""


class _Player:
    """An open animation. `picture` may be called from several threads."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file = file
        header = read_header(file, _ANY)  # whose size was checked when its pictures were counted
        self._pixels = header.width * header.height
        with own_pixel_limit(self._pixels):
            self._image = _DRAWN[kind](file, header.facts)
        self._shown: OrderedDict[int, Image.Image] = OrderedDict()
        self._guard = threading.Lock()
        self._closed = False

    def picture(self, index: int) -> Image.Image:
        with self._guard:
            if self._closed:
                raise _LetGo
            if index not in self._shown:
                with own_pixel_limit(self._pixels):
                    self._play_to(index)
            return self._shown[index].copy()

    def _play_to(self, index: int) -> None:
        start = self._image.tell() + 1 if self._image.tell() < index else index
        for number in range(min(start, index), index + 1):
            try:
                self._image.seek(number)
            except EOFError as error:
                raise Refusal(f"its animation ends before picture {index}", EXPORT_AGAIN) from error
            self._image.load()
            if index - number < _KEPT:
                self._keep(number, self._image.copy())

    def _keep(self, number: int, image: Image.Image) -> None:
        self._shown[number] = image
        bytes_each = image.width * image.height * 4
        while len(self._shown) > max(1, min(_KEPT, _KEPT_BYTES // max(bytes_each, 1))):
            self._shown.popitem(last=False)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._file.close()


_open: Memo[_Player] = Memo(2, lambda player: player.close())
atexit.register(_open.clear)


def picture(file: BinaryIO, kind: str, index: int, number: int) -> Image.Image:
    """Picture `index` of `number`, as it is drawn, with the modes and transparency of its own."""
    if identity(file) is None:
        return _Player(file, kind).picture(index)
    player = _open.of(file, lambda: _opened_again(file, kind), kind)
    try:
        shown = player.picture(index)
    except _LetGo:
        return _alone(file, kind, index)
    except Exception:
        _open.forget(file, kind)
        raise
    if index == number - 1:
        _open.forget(file, kind)
    return shown


def _alone(file: BinaryIO, kind: str, index: int) -> Image.Image:
    """A picture by a decoder that no other thread knows."""
    player = _opened_again(file, kind)
    try:
        return player.picture(index)
    finally:
        player.close()


def _opened_again(file: BinaryIO, kind: str) -> _Player:
    own = os.fdopen(os.dup(file.fileno()), "rb")
    own.seek(0)
    try:
        return _Player(own, kind)
    except BaseException:
        own.close()
        raise
