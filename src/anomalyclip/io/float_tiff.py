"""Writing TIFFs of floats, one uncoloured page, so plainly that any reader has what they need."""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

_SHORT, _LONG = 3, 4  # TIFF's field types
_BYTES = {_SHORT: 2, _LONG: 4}
_HEADER = 8
_STRIP = 2**20  # bytes of values in one of several strips
_SAMPLE = 2**14  # bytes of values, in whole rows, that are deflated to see whether it pays
_PAYS = 3 / 4  # of the size at most, or the values are stored as they are
_LARGEST = 2**32 - 1  # what an offset of 32 bits can reach


def float_tiff(values: npt.NDArray[Any], *, deflate: bool = False) -> bytes:
    """(H, W) floats as a little-endian TIFF, bit for bit.

    Without ``deflate`` it is one plain strip, which a few lines of script can read. With it, strips of about a
    megabyte, deflated without a predictor where that saves a quarter: maps with large areas of one value. The bytes of
    others hardly repeat.

    Raises:
        ValueError: it would be larger than TIFF's 4 GiB.

    >>> len(float_tiff(np.zeros((2, 3), np.float32)))
    158
    """
    stored = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    height, width = stored.shape
    rows = max(1, _STRIP // max(1, stored[0].nbytes)) if deflate else height
    packed = deflate and _pays(stored)
    plain = [_bytes_of(stored[row : row + rows]) for row in range(0, height, rows)]
    strips = [_deflated(strip) for strip in plain] if packed else plain
    lengths = [len(strip) for strip in strips]
    # tag, type, values; in rising order of tags as TIFF 6.0 asks
    fields: list[tuple[int, int, list[int]]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [8 * stored.itemsize]),  # bits per sample
        (259, _SHORT, [8 if packed else 1]),  # Adobe's deflate, or nothing
        (262, _SHORT, [1]),  # black is zero
        (273, _LONG, lengths),  # where the strips start, set below
        (277, _SHORT, [1]),  # samples per pixel
        (278, _LONG, [rows]),  # in one strip
        (279, _LONG, lengths),
        (339, _SHORT, [3]),  # floating point
    ]
    table = _HEADER + 2 + 12 * len(fields) + 4
    beyond = sum(_BYTES[kind] * len(told) for _, kind, told in fields if _BYTES[kind] * len(told) > 4)
    starts = list(accumulate(lengths[:-1], initial=table + beyond))
    if starts[-1] + lengths[-1] > _LARGEST:
        raise ValueError(f"{height} x {width} floats are more than a TIFF holds")
    fields[5] = (273, _LONG, starts)
    return b"".join([struct.pack("<2sHI", b"II", 42, _HEADER), *_directory(fields, table), *strips])


def _directory(fields: list[tuple[int, int, list[int]]], beyond: int) -> list[bytes]:
    """The table of fields, and behind it, from offset ``beyond`` on, the values that are too long for it."""
    table, long = [struct.pack("<H", len(fields))], []
    for tag, kind, told in fields:
        data = struct.pack(f"<{len(told)}{'H' if kind == _SHORT else 'I'}", *told)
        if len(data) > 4:
            long.append(data)
            beyond, data = beyond + len(data), struct.pack("<I", beyond)
        table.append(struct.pack("<HHI4s", tag, kind, len(told), data))
    return [*table, bytes(4), *long]


def _bytes_of(values: npt.NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


def _pays(stored: npt.NDArray[Any]) -> bool:
    """Whether deflate saves a quarter, by rows from all over the map (all of a small one)."""
    height = len(stored)
    count = min(height, max(8, -(-_SAMPLE // stored[0].nbytes)))
    middles = (2 * np.arange(count) + 1) * height // (2 * count)  # of so many bands: the edges often do not count
    sample = _bytes_of(stored[middles])
    return len(_deflated(sample)) <= _PAYS * len(sample)


def _deflated(values: memoryview) -> bytes:
    """Runs and frequent bytes alone are looked for: the bytes of smooth floats repeat no longer words."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return packer.compress(values) + packer.flush()
