"""BMP: headers checked by ourselves, and the layouts decoded that Pillow does not know or knows in part.

Pillow knows a handful of colour masks and calls all others damaged; here any masks are read as the header states them,
of 16 or 32 bits, with or without alpha, bottom-up or top-down. It takes a palette of two for pixels of one bit, and a
black and white or grey one for no palette; so numbers of a palette are read here, too, and it unpacks run lengths to
numbers. Plain colours of 24 bits are left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.io.depth import Raster
from anomalyclip.io.limits import check_pixels
from anomalyclip.io.notes import NOTES, beyond_palette
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_FILE_HEADER = 14
_CORE, _INFO, _OS2 = 12, 40, 64
_WITH_MASKS, _WITH_ALPHA = 52, 56  # header sizes from which on they stand within it
_PLAIN, _MASKED, _MASKED_ALPHA = 0, 3, 6
RUNS = (1, 2)  # run lengths of 8 and of 4 bits
_REFUSED = {4: "a JPEG", 5: "a PNG", 11: "CMYK", 12: "CMYK", 13: "CMYK"}
_FIVES = (0x7C00, 0x03E0, 0x001F)
_EIGHTS = (0xFF0000, 0x00FF00, 0x0000FF)
_AT_ONCE = 1 << 22  # bytes of pixels that are turned into colours at a time
_NO_PALETTE: npt.NDArray[np.uint8] = np.empty((0, 3), np.uint8)
_SAVE = "save it uncompressed or as PNG"


@dataclass(frozen=True)
class BmpFacts:
    """What the headers say. masks: of red, green, blue and alpha (0: none) in a pixel. table: where the palette begins;
    palette: (colours, 3) RGB."""

    width: int
    height: int
    bottom_up: bool
    bits: int
    compression: int
    start: int
    masks: tuple[int, int, int, int]
    table: int
    palette: npt.NDArray[np.uint8]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row: whole words of 32 bits."""
        return (self.width * self.bits + 31) // 32 * 4


def read_facts(file: BinaryIO, max_pixels: int) -> BmpFacts:
    """The headers, masks and palette. Raises `Refusal`."""
    file.seek(0)
    head = file.read(_FILE_HEADER + 124)
    start, size = struct.unpack_from("<II", head, 10)
    compression = used = 0
    if size == _CORE:
        width, height, _, bits = struct.unpack_from("<4H", head, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", head, 18)
        if size >= _INFO:
            compression, used = struct.unpack_from("<I12xI", head, 30)
    check_pixels(width, abs(height), max_pixels)
    _check_kind(bits, compression, size)
    masks, masks_after = _masks(head, size, bits, compression)
    table, each = _FILE_HEADER + size + masks_after, 3 if size == _CORE else 4
    colours = min(used or 1 << bits, 1 << bits) if bits <= 8 else 0
    start = start or table + colours * each
    if start < table:
        raise Refusal(f"its BMP header says that its pixels begin at byte {start}, within it", EXPORT_AGAIN)
    palette = _palette(file, table, min(colours, (start - table) // each), each) if colours else _NO_PALETTE
    return BmpFacts(width, abs(height), height > 0, bits, compression, start, masks, table, palette)


def _check_kind(bits: int, compression: int, size: int) -> None:
    if compression in _REFUSED or (size == _OS2 and compression == _MASKED):
        inside = "run lengths of OS/2" if size == _OS2 else _REFUSED[compression]
        raise Refusal(f"it is a BMP with {inside} inside", _SAVE)
    allowed = {_PLAIN: (1, 2, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), _MASKED: (16, 32), _MASKED_ALPHA: (16, 32)}
    if bits not in allowed.get(compression, ()):
        raise Refusal(f"its BMP header declares {bits} bits of compression {compression}", EXPORT_AGAIN)


def _masks(head: bytes, size: int, bits: int, compression: int) -> tuple[tuple[int, int, int, int], int]:
    """(masks, bytes that they take behind the header)."""
    if compression not in (_MASKED, _MASKED_ALPHA):
        return (*(_FIVES if bits == 16 else _EIGHTS), 0), 0
    number = 4 if compression == _MASKED_ALPHA or size >= _WITH_ALPHA else 3
    found = struct.unpack_from(f"<{number}I", head, _FILE_HEADER + _INFO)
    masks = (*found, 0)[:4]
    colours = masks[:3]
    apart = sum(masks) == masks[0] | masks[1] | masks[2] | masks[3]
    if not all(colours) or not apart or any(mask >> bits or not _is_run(mask) for mask in masks if mask):
        raise Refusal(f"its BMP masks are impossible ({', '.join(f'{mask:#x}' for mask in masks)})", EXPORT_AGAIN)
    return (masks[0], masks[1], masks[2], masks[3]), 4 * number if size < _WITH_MASKS else 0


def _is_run(mask: int) -> bool:
    """Whether the bits of a mask lie side by side."""
    lowest = mask & -mask
    return (mask // lowest + 1) & (mask // lowest) == 0


def _palette(file: BinaryIO, place: int, number: int, each: int) -> npt.NDArray[np.uint8]:
    file.seek(place)
    entries = np.frombuffer(file.read(number * each), np.uint8)
    if len(entries) < number * each or not number:
        raise truncated("its palette is cut off")
    return np.ascontiguousarray(entries.reshape(number, each)[:, 2::-1])


def decode(file: BinaryIO, facts: BmpFacts) -> Raster | Image.Image:
    """Uncompressed pixels: numbers of a palette with it, or 8-bit RGB with alpha. Raises `Refusal` where the file ends
    before them."""
    if facts.bits <= 8:
        numbers = np.empty((facts.height, facts.width), np.uint8)
        for where, raw in _rows(file, facts):
            numbers[where] = _indices(raw, facts)
        return coloured(numbers, facts)
    out = np.empty((facts.height, facts.width, 3), np.uint8)
    alpha = np.empty((facts.height, facts.width), np.uint8) if facts.masks[3] else None
    for where, raw in _rows(file, facts):
        words = _words(raw, facts)
        out[where] = np.stack([_channel(words, mask) for mask in facts.masks[:3]], axis=-1)
        if alpha is not None:
            alpha[where] = _channel(words, facts.masks[3])
    if alpha is not None and not alpha.any():  # as browsers do: writers that know no alpha leave its bits 0
        return Raster(out, notes=("its alpha is 0 in every pixel and was left out",))
    return Raster(out, alpha)


def coloured(numbers: npt.NDArray[np.uint8], facts: BmpFacts) -> Image.Image:
    """Numbers (H, W) with their palette; what no entry describes is black, and told."""
    image = Image.frombytes("P", (facts.width, facts.height), numbers.tobytes())
    image.putpalette(facts.palette.tobytes().ljust(3 << facts.bits, b"\0"))
    colours = len(facts.palette)
    beyond = int(np.count_nonzero(numbers >= colours)) if colours < 1 << facts.bits else 0
    if beyond:
        image.info[NOTES] = (beyond_palette(beyond, colours),)
    return image


def for_numbers(file: BinaryIO, facts: BmpFacts) -> bytes:
    """A file of run lengths with a palette that Pillow takes for one, whatever its own."""
    file.seek(0)
    head, table = bytearray(file.read(facts.table)), bytes((1, 2, 3, 0)) * (1 << facts.bits)
    struct.pack_into("<I", head, 10, len(head) + len(table))
    struct.pack_into("<I", head, _FILE_HEADER + 32, 0)
    file.seek(facts.start)
    return bytes(head) + table + file.read()


def _rows(file: BinaryIO, facts: BmpFacts) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
    """Places of rows in the picture, and their bytes from the top down. Raises `Refusal`."""
    row, height = facts.row_bytes, facts.height
    end = file.seek(0, 2)
    if facts.start + row * height > end:
        raise truncated(f"its pixels end at byte {facts.start + row * height:,}, the file at {end:,}")
    file.seek(facts.start)
    step = max(1, _AT_ONCE // row)
    for first in range(0, height, step):
        rows = min(step, height - first)
        raw = np.frombuffer(file.read(row * rows), np.uint8).reshape(rows, row)
        if facts.bottom_up:
            yield slice(height - first - rows, height - first), raw[::-1]
        else:
            yield slice(first, first + rows), raw


def _indices(raw: npt.NDArray[np.uint8], facts: BmpFacts) -> npt.NDArray[np.uint8]:
    if facts.bits == 8:
        return raw[:, : facts.width]
    shifts = np.arange(8 - facts.bits, -1, -facts.bits, dtype=np.uint8)
    apart: npt.NDArray[np.uint8] = (raw[..., None] >> shifts) & np.uint8((1 << facts.bits) - 1)
    return apart.reshape(len(raw), -1)[:, : facts.width]


def _words(raw: npt.NDArray[np.uint8], facts: BmpFacts) -> npt.NDArray[Any]:
    return np.ascontiguousarray(raw).view(f"<u{facts.bits // 8}")[:, : facts.width]


def _channel(words: npt.NDArray[Any], mask: int) -> npt.NDArray[np.uint8]:
    """The bits under a mask, scaled so that all of them set are 255."""
    lowest = mask & -mask
    values, top = (words.astype(np.uint32) & np.uint32(mask)) // np.uint32(lowest), mask // lowest
    if top == 255:
        return np.asarray(values, np.uint8)
    return np.asarray(np.floor(values * (255 / top) + 0.5), np.uint8)
