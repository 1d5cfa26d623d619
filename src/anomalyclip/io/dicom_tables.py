"""DICOM's tables: of values (modality, values of interest, PS3.3 C.11.1.1.1) and of colours (C.7.6.3.1.5, C.7.9.2).

Read by ourselves: pydicom takes palettes in a file of big endian for little, counts the entries of a table of 8 bits in
8 bits, and takes no odd number of such entries, which are filled up to a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anomalyclip.io.depth import Array, Stated
from anomalyclip.io.dicom_structure import value
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

COLOURS = ("Red", "Green", "Blue")
_MOST = 65536  # entries


def looked_up(values: Array, table: Any, *, little: bool) -> Array:
    """Whole numbers through the table of a sequence item. Raises `Refusal`."""
    entries, first, bits = _described(table.LUTDescriptor)
    if not 8 <= bits <= 16:
        raise Refusal(f"its table has entries of {bits} bits", EXPORT_AGAIN)
    return _entries(table.LUTData, entries, bits, little)[_places(values, first, entries)]


def coloured(pixels: Array, told: Any, *, little: bool) -> tuple[Array, Stated]:
    """(H, W) numbers of colours to (H, W, 3), and the scale of these. told: the Dataset with the palette.

    Raises `Refusal`.
    """
    descriptor = value(told, "RedPaletteColorLookupTableDescriptor")
    if descriptor is None:
        raise Refusal("its palette is missing", EXPORT_AGAIN)
    entries, first, bits = _described(descriptor)
    columns = []
    for colour in COLOURS:
        segments = value(told, f"Segmented{colour}PaletteColorLookupTableData")
        data = value(told, f"{colour}PaletteColorLookupTableData", b"")
        columns.append(
            _entries(data, entries, bits, little)
            if segments is None
            else _unpacked(_numbers(segments, 1 if bits == 8 else 2, little), entries)
        )
    table = np.stack(columns, axis=-1)
    return table[_places(pixels, first, entries)], Stated(0.0, float(2**bits - 1), f"a palette of {bits} bits")


def _described(descriptor: Any) -> tuple[int, int, int]:
    """(number of entries, the value of the first, bits of an entry)."""
    entries, first, bits = (int(number) for number in descriptor)
    return entries or _MOST, first, bits


def _places(values: Array, first: int, entries: int) -> npt.NDArray[np.int64]:
    """Which entry each value has; what lies beyond the ends takes the end's."""
    return np.clip(values.astype(np.int64) - first, 0, entries - 1)


def _entries(data: Any, entries: int, bits: int, little: bool) -> Array:
    """A whole table; entries of 8 bits lie two in a word, or one."""
    size = len(data) if isinstance(data, bytes) else 2 * np.size(data)
    width = 1 if bits == 8 and entries <= size < 2 * entries else 2
    if size < width * entries:
        raise Refusal(f"its table has {size:,} bytes for {entries:,} entries of {bits} bits", EXPORT_AGAIN)
    return _numbers(data, width, little)[:entries]


def _numbers(data: Any, width: int, little: bool) -> Array:
    """Numbers of `width` bytes, out of bytes in words of two, or of the words themselves (US)."""
    if isinstance(data, bytes):
        words = np.frombuffer(data + bytes(len(data) % 2), "<u2" if little else ">u2")
    else:
        words = np.atleast_1d(np.asarray(data))
    return words.astype(np.uint16) if width == 2 else words.astype("<u2").view(np.uint8)


def _unpacked(words: Array, wanted: int) -> npt.NDArray[np.uint16]:
    """The entries of segments, of which a kind, a length and values are told one after another. Raises `Refusal`."""
    parts: list[Array] = []
    entries = position = 0
    while position + 1 < len(words):
        kind, length = int(words[position]), int(words[position + 1])
        values = words[position + 2 :][: length if kind == 0 else 1]
        if kind > 1:
            raise Refusal("its palette repeats segments, a form that is not read", "convert it to RGB")
        entries += length
        position += 2 + (length if kind == 0 else 1)
        if entries > _MOST:
            raise Refusal(f"its palette has more than {_MOST:,} entries", EXPORT_AGAIN)
        if kind == 1 and (not parts or not len(values)):
            raise Refusal("its palette's segments have no beginning or no end", EXPORT_AGAIN)
        if kind == 1:  # a straight line from the value before it
            start, end = float(parts[-1][-1]), float(values[0])
            values = np.rint(start + (end - start) * np.arange(1, length + 1) / max(length, 1))
        if len(values):
            parts.append(values)
    table = np.concatenate(parts).astype(np.uint16) if parts else np.empty(0, np.uint16)
    if len(table) < wanted:
        raise Refusal(f"its palette's segments make {len(table):,} of {wanted:,} entries", EXPORT_AGAIN)
    return table[:wanted]
