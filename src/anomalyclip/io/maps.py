"""Anomaly maps on disk: plain float32 TIFF (any image tool opens it) or NumPy's npz. Both lossless."""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from anomalyclip.errors import InputError, OutputError
from anomalyclip.io import decoding, inspection
from anomalyclip.io.atomic import write_bytes
from anomalyclip.io.depth import Raster
from anomalyclip.io.float_tiff import float_tiff
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS
from anomalyclip.io.names import StrPath, printable
from anomalyclip.io.opened import use_file
from anomalyclip.io.refusal import Refusal

MapFormat = Literal["tiff", "npz"]
KEY = "anomaly_map"
_MEMBER = f"{KEY}.npy"


def write_map(path: StrPath, anomaly_map: npt.ArrayLike, fmt: MapFormat = "tiff") -> None:
    """Write an (H, W) map as float32, atomically; the values are kept bit for bit.

    Args:
        path: the target; its suffix is up to the caller.
        anomaly_map: (H, W) numbers, H and W at least 1; converted to float32.
        fmt: ``"tiff"`` is one uncoloured float32 page, which Pillow, ImageJ, tifffile and OpenCV read: plain, or
            deflate without a predictor where that saves a quarter (large areas that do not count); ``"npz"`` is a
            compressed NumPy archive with the key ``anomaly_map``.

    Raises:
        InputError: not a two-dimensional map, or an unknown format.
        OutputError: the file cannot be written.
    """
    # Encoded in memory, so that a full disk is an error of our own write and not of a codec.
    write_bytes(path, encode_map(anomaly_map, fmt, name=printable(path)))


def encode_map(anomaly_map: npt.ArrayLike, fmt: MapFormat = "tiff", *, name: str = "the map") -> bytes:
    """The bytes that `write_map` writes; `name` stands in the messages. Raises InputError, OutputError as it does."""
    if fmt not in get_args(MapFormat):
        raise InputError(f"map format {fmt!r}: expected one of {', '.join(get_args(MapFormat))}")
    values = np.ascontiguousarray(anomaly_map, dtype=np.float32)
    if values.ndim != 2 or not values.size:
        raise InputError(f"an anomaly map has shape (height, width), got {values.shape}; pass one map at a time")
    buffer = io.BytesIO()
    if fmt == "npz":
        np.savez_compressed(buffer, anomaly_map=values)
    else:
        try:
            return float_tiff(values, deflate=True)
        except ValueError as error:
            raise OutputError(f"cannot write {name} as TIFF: {error}; use the npz format") from error
    return buffer.getvalue()


def read_map(path: StrPath, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> npt.NDArray[np.float32]:
    """Read a map that `write_map` wrote, either format, as (H, W) float32. Raises `ImageReadError`."""

    def read(file: Any) -> npt.NDArray[np.float32]:
        zipped = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        values = _read_npz(file, max_pixels) if zipped else _read_tiff(file, max_pixels)
        if values.ndim != 2 or values.dtype.kind != "f":
            raise Refusal(f"it holds {values.dtype} of shape {values.shape}, not a float map", "give a written map")
        return np.ascontiguousarray(values, dtype=np.float32)

    return use_file(path, read, DEFAULT_MAX_BYTES)


def _read_tiff(file: Any, max_pixels: int) -> npt.NDArray[Any]:
    if file.read(2) not in (b"II", b"MM"):
        raise Refusal("it is neither a TIFF nor an npz file", "give a written map")
    content, _ = decoding.decode(file, inspection.read_header(file, max_pixels))
    return content.values if isinstance(content, Raster) else np.asarray(content)


def _read_npz(file: Any, max_pixels: int) -> npt.NDArray[Any]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        if _MEMBER not in archive.namelist():
            raise Refusal(f"it holds no {KEY!r}", "give a written map")
        # The declared length bounds what inflating can yield; the array's own header lies within it.
        if archive.getinfo(_MEMBER).file_size > 8 * max_pixels + 4096:
            raise Refusal(f"its map is larger than {max_pixels / 1e6:.4g} megapixels", "raise max_pixels")
        data = archive.read(_MEMBER)
    values: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return values


__all__ = ["KEY", "MapFormat", "encode_map", "read_map", "write_map"]
