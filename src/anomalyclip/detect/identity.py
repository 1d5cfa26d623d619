"""Whether a file is still the one that was scored: by size and times, and by its content where those differ."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from anomalyclip.io.limits import DEFAULT_MAX_BYTES
from anomalyclip.io.regular import open_regular

_CHUNK = 1 << 20
_LARGEST = 1 << 63
_FIELDS = struct.Struct("<qqq16s")


@dataclass(frozen=True)
class Identity:
    """A file as it was when it was scored.

    size: bytes. mtime_ns, ctime_ns: last change of the content and of the entry, nanoseconds since 1970; the second
    tells a file that was put in place of another and kept its date. digest: 16 bytes of BLAKE2b of the content.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    digest: bytes

    def packed(self) -> bytes:
        """40 bytes, for memory that holds a million of them; `unpacked` reads them."""
        return _FIELDS.pack(self.size, self.mtime_ns, self.ctime_ns, self.digest)

    @classmethod
    def unpacked(cls, data: bytes) -> Identity:
        return cls(*_FIELDS.unpack(data))

    def record(self) -> dict[str, Any]:
        """JSON-ready; `recorded` reads it."""
        return {"size": self.size, "mtime_ns": self.mtime_ns, "ctime_ns": self.ctime_ns, "digest": self.digest.hex()}

    @classmethod
    def recorded(cls, row: dict[str, Any]) -> Identity:
        """Raises KeyError, TypeError or ValueError for anything that `record` did not make."""
        numbers = [row[name] for name in ("size", "mtime_ns", "ctime_ns")]
        digest = bytes.fromhex(row["digest"])
        if len(digest) != 16 or not all(abs(number) < _LARGEST for number in numbers):
            raise ValueError("a digest has 16 bytes, the others 8")
        size, mtime, ctime = map(int, numbers)
        return cls(size, mtime, ctime, digest)

    def still_of(self, path: str) -> bool:
        """Whether the file there holds what was scored; also True where none can be read, as there is no other."""
        try:
            now = _times(path)
            return now == (self.size, self.mtime_ns, self.ctime_ns) or (
                now[0] == self.size <= DEFAULT_MAX_BYTES and _digest(path, now) == self.digest
            )
        except OSError:
            return True


def identify(path: str) -> Identity | None:
    """The identity of a file; None where it cannot be read, is too large, or changes meanwhile. Reads it whole."""
    try:
        before = _times(path)
        if before[0] > DEFAULT_MAX_BYTES:
            return None
        digest = _digest(path, before)
        return Identity(*before, digest) if _times(path) == before else None
    except OSError:
        return None


def _times(path: str) -> tuple[int, int, int]:
    status = os.stat(path)  # noqa: PTH116 - a path object per file costs more than the call
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=256)  # a file of many frames is asked about for each of them
def _digest(path: str, _version: tuple[int, int, int]) -> bytes:
    digest = blake2b(digest_size=16)
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
