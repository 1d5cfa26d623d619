"""One checksummed array per file: written whole or not at all, and never read without its checksum being right once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.io.atomic import atomic_write, output_error

_MAGIC = b"anomalyclip 1\n\0\0"  # 16 bytes; the number is the format's
_DIGEST = 32
OFFSET = 64  # where the array starts: aligned for any dtype


def record_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Size of a record's file."""
    return OFFSET + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def write_record(path: Path, identity: str, values: NDArray[Any]) -> None:
    """Write ``values`` so that :func:`is_intact` with the same ``identity`` holds.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    body = np.ascontiguousarray(values)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path.parent, error) from error
    head = (_MAGIC + _checksum(identity, body)).ljust(OFFSET, b"\0")
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        stream.write(head)
        stream.write(body.data)


def is_intact(path: Path, identity: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether the file is a whole, undamaged record of this identity, shape and dtype; reads all of it."""
    try:
        if path.stat().st_size != record_bytes(shape, dtype):
            return False
        with path.open("rb") as stream:
            head = stream.read(OFFSET)
    except OSError:
        return False
    if head[: len(_MAGIC)] != _MAGIC:
        return False
    return head[len(_MAGIC) : len(_MAGIC) + _DIGEST] == _checksum(identity, open_record(path, shape, dtype))


def open_record(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The array, memory-mapped and read-only; call :func:`is_intact` once before."""
    return np.memmap(path, dtype=dtype, mode="r", offset=OFFSET, shape=shape)


def _checksum(identity: str, values: NDArray[Any]) -> bytes:
    digest = hashlib.blake2b(identity.encode(), digest_size=_DIGEST)
    digest.update(values.data)
    return digest.digest()
