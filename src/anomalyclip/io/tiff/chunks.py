"""Strips and tiles of one TIFF page to samples: (height, width, samples) in this machine's byte order.

Every chunk is decompressed into a buffer whose size its layout gives, never further; libraries see single compressed
streams (zlib, lzma, libtiff's codecs, libjpeg) and no directory. What lies in those bytes is NumPy's work: bit depths,
byte order, predictors, planes.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from anomalyclip.io import ifd as tags
from anomalyclip.io.ifd import Directory, Values
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated
from anomalyclip.io.tiff import layout as kinds
from anomalyclip.io.tiff.codecs import decode_jpeg, decode_with_libtiff
from anomalyclip.io.tiff.layout import Layout

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_OVERHEAD = 4096  # of a compressed stream over its raw bytes, besides doubling: headers, tables
_AT_ONCE = 1 << 22  # raw bytes in work at a time, where a chunk can be read in parts


def read_samples(file: BinaryIO, page: Directory, layout: Layout) -> npt.NDArray[Any]:
    """All samples of a page as (height, width, samples). Raises `Refusal`: cut off or damaged."""
    out = np.empty((layout.height, layout.width, layout.samples), layout.dtype)
    for plane, top, left, chunk in _chunks(file, page, layout):
        rows = layout.chunk_height if layout.tiled else min(layout.chunk_height, layout.height - top)
        first = top
        for block in _blocks(chunk, layout, rows, page):
            target = out[first : first + len(block), left : left + layout.chunk_width]
            first += len(block)
            block = block[: target.shape[0], : target.shape[1]]
            if layout.planar:
                target[..., plane] = block[..., 0]
            else:
                target[...] = block
    return out


class _Chunk:
    """The compressed bytes of one strip or tile, read as they are needed."""

    def __init__(self, file: BinaryIO, start: int, size: int, reverse: bool) -> None:
        self.file, self._place, self._left, self._reverse = file, start, size, reverse

    def read(self, size: int | None = None) -> bytes:
        self.file.seek(self._place)
        data = self.file.read(self._left if size is None else min(size, self._left))
        self._place += len(data)
        self._left -= len(data)
        return data.translate(_REVERSED) if self._reverse else data


def _chunks(file: BinaryIO, page: Directory, layout: Layout) -> Iterator[tuple[int, int, int, _Chunk]]:
    """(plane, top row, left column, compressed bytes) of every chunk."""
    offsets, counts = _places(file, page, layout)
    reverse = layout.fill_order == 2 and layout.compression != kinds.JPEG
    index = 0
    for plane in range(layout.planes):
        for top in range(0, layout.height, layout.chunk_height):
            for left in range(0, layout.width, layout.chunk_width):
                yield plane, top, left, _Chunk(file, int(offsets[index]), int(counts[index]), reverse)
                index += 1


def _places(file: BinaryIO, page: Directory, layout: Layout) -> tuple[Values, Values]:
    """(offsets, byte counts) of all chunks, all within the file; a count is cut to what its pixels can need."""
    number = layout.across * layout.down * layout.planes
    where, sizes = (tags.TILE_OFFSETS, tags.TILE_BYTES) if layout.tiled else (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    if page.count(where) < number:
        found = page.count(where)
        raise Refusal(f"it has {found:,} of the {number:,} strips or tiles of its size", EXPORT_AGAIN)
    offsets = page.values(file, where, number, extra=True).astype(np.uint64)
    raw = raw_bytes(layout, layout.chunk_height)
    if page.count(sizes) >= number:
        counts = page.values(file, sizes, number, extra=True).astype(np.uint64)
    elif layout.compression == kinds.NONE:  # old writers leave them out, and nothing is unknown
        counts = np.full(number, raw, np.uint64)
        if not layout.tiled:
            last = raw_bytes(layout, layout.height - (layout.down - 1) * layout.chunk_height)
            counts[layout.down - 1 :: layout.down] = last
    else:
        raise Refusal("it does not say how long its strips or tiles are", EXPORT_AGAIN)
    end = page.container.size
    beyond = (offsets > end) | (counts > end)
    far = int((offsets + np.where(beyond, 0, counts)).max())
    if beyond.any() or far > end:
        raise truncated(f"pixel data ends at byte {far:,}, the file at {end:,}" if not beyond.any() else "")
    empty = counts == 0
    if (empty & (offsets == 0)).any():
        told = f"{int(empty.sum()):,} of its {number:,} strips or tiles were never written"
        raise Refusal(told, "export it again; of one of GDAL's sparse files fill them: gdal_translate FILE FILLED.tif")
    if empty.any():
        raise truncated("a strip or tile is empty")
    return offsets, np.minimum(counts, 2 * raw + _OVERHEAD)


def raw_bytes(layout: Layout, rows: int) -> int:
    """Decompressed bytes of a chunk of `rows` rows."""
    if layout.photometric == kinds.YCBCR and layout.compression != kinds.JPEG:
        across, down = layout.subsampling
        return -(-layout.chunk_width // across) * -(-rows // down) * (across * down + 2)
    return layout.row_bytes * rows


def _blocks(chunk: _Chunk, layout: Layout, rows: int, page: Directory) -> Iterator[npt.NDArray[Any]]:
    """One chunk as blocks of (some rows, chunk width, samples together), from the top down."""
    shape = rows, layout.chunk_width, layout.together
    if layout.compression == kinds.JPEG:
        tables = page.values(chunk.file, tags.JPEG_TABLES, 1 << 17).tobytes() if tags.JPEG_TABLES in page else b""
        yield decode_jpeg(chunk.read(), tables, shape, ycbcr=layout.photometric == kinds.YCBCR)
    elif layout.photometric == kinds.YCBCR:
        raw = b"".join(_raw(chunk, layout, rows, raw_bytes(layout, rows), 1))
        yield _unpack_subsampled(np.frombuffer(raw, np.uint8), layout, rows)
    else:
        for raw in _raw(chunk, layout, rows, layout.row_bytes, rows):
            yield _samples(np.frombuffer(raw, np.uint8).reshape(-1, layout.row_bytes), layout, page.container.order)


def _samples(packed: npt.NDArray[np.uint8], layout: Layout, order: Literal["<", ">"]) -> npt.NDArray[Any]:
    """Bytes of whole rows, (rows, row bytes), to (rows, chunk width, samples together)."""
    shape = len(packed), layout.chunk_width, layout.together
    if layout.predictor == 3:
        return _undo_float_predictor(packed, layout).reshape(shape)
    if layout.bits % 8:
        return _unpack_bits(packed, layout.chunk_width * layout.together, layout.bits).reshape(shape)
    values = packed.view(layout.dtype.newbyteorder(order)).reshape(shape)
    return _undo_difference(values.astype(layout.dtype)) if layout.predictor == 2 else values


def _raw(chunk: _Chunk, layout: Layout, rows: int, row_bytes: int, count: int) -> Iterator[bytes]:
    """The decompressed bytes of a chunk, in pieces of whole rows of `row_bytes`, `count` of them in all."""
    kind = layout.compression
    if kind in kinds.CCITT:
        yield decode_with_libtiff(chunk.read(), kind, layout.chunk_width, rows, layout.t4_options)
        return
    if kind not in _STREAMS:
        yield decode_with_libtiff(chunk.read(), kind, row_bytes * count, 1)
        return
    stream = _STREAMS[kind](chunk)
    each = max(1, _AT_ONCE // row_bytes)
    for first in range(0, count, each):
        size = row_bytes * min(each, count - first)
        try:
            raw = stream(size)
        except (zlib.error, lzma.LZMAError) as error:
            raise Refusal(f"its pixels are damaged ({error})", EXPORT_AGAIN) from error
        if len(raw) < size:
            raise truncated(f"a strip or tile ends {size - len(raw):,} bytes early")
        yield raw


def _inflating(chunk: _Chunk) -> Callable[[int], bytes]:
    """read(size) of zlib's stream: exactly `size` bytes, fewer at its end."""
    inflater, pending = zlib.decompressobj(), b""

    def read(size: int) -> bytes:
        nonlocal pending
        out = bytearray()
        while len(out) < size and not inflater.eof:
            pending = pending or chunk.read(_AT_ONCE)
            if not pending:
                break
            out += inflater.decompress(pending, size - len(out))
            pending = inflater.unconsumed_tail
        return bytes(out)

    return read


def _unpacking_lzma(chunk: _Chunk) -> Callable[[int], bytes]:
    """read(size) of an xz stream: exactly `size` bytes, fewer at its end."""
    decoder = lzma.LZMADecompressor(memlimit=1 << 28)

    def read(size: int) -> bytes:
        out = bytearray()
        while len(out) < size and not decoder.eof:
            data = chunk.read(_AT_ONCE) if decoder.needs_input else b""
            if decoder.needs_input and not data:
                break
            out += decoder.decompress(data, size - len(out))
        return bytes(out)

    return read


_STREAMS: dict[int, Callable[[_Chunk], Callable[[int], bytes]]] = {
    kinds.NONE: lambda chunk: chunk.read,
    kinds.DEFLATE: _inflating,
    32946: _inflating,
    kinds.LZMA: _unpacking_lzma,
}


def _unpack_bits(packed: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[Any]:
    """(rows, bytes) -> (rows, count) unsigned integers of `bits` bits each, most significant bit first."""
    if bits == 1:
        return np.unpackbits(packed, axis=1, count=count)
    dtype = np.uint8 if bits < 8 else np.uint16
    single = np.unpackbits(packed, axis=1, count=count * bits).reshape(len(packed), count, bits)
    out = np.zeros(single.shape[:2], dtype)
    for place in range(bits):
        out <<= 1
        out |= single[..., place]
    return out


def _undo_difference(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Horizontal differences, per sample and modulo the word, summed up again."""
    words = values.view(f"u{values.dtype.itemsize}")
    return np.add.accumulate(words, axis=1, dtype=words.dtype).view(values.dtype)


def _undo_float_predictor(packed: npt.NDArray[np.uint8], layout: Layout) -> npt.NDArray[Any]:
    """Adobe's floating-point predictor: byte planes of each row, most significant first, as differences."""
    step, size = layout.together, layout.dtype.itemsize
    planes = packed.reshape(len(packed), -1, step)
    summed = np.add.accumulate(planes, axis=1, dtype=np.uint8).reshape(len(packed), size, -1)
    big_endian = np.ascontiguousarray(summed.transpose(0, 2, 1))
    values: npt.NDArray[Any] = big_endian.view(layout.dtype.newbyteorder(">"))[..., 0]
    return values


def _unpack_subsampled(raw: npt.NDArray[np.uint8], layout: Layout, rows: int) -> npt.NDArray[np.uint8]:
    """YCbCr units (a block of Y, then one Cb and one Cr) to full-size (rows, width, 3)."""
    across, down = layout.subsampling
    units = raw.reshape(-(-rows // down), -(-layout.chunk_width // across), across * down + 2)
    luma = units[..., :-2].reshape(*units.shape[:2], down, across).swapaxes(1, 2)
    luma = luma.reshape(units.shape[0] * down, -1)[:rows, : layout.chunk_width]
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)[:rows, : layout.chunk_width]
    return np.dstack([luma, chroma])
