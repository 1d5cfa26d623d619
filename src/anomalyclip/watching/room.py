"""Evidence that waits for room on a full disk: in memory, and in a file whose place was taken while there was some.

evidence.room: a row of entries, each a head (mark, checksum, length), what it is as JSON, and the bytes of its files.
An entry is written within the file, which takes no room from the disk; the next watch reads it, however this one ended.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOM = "evidence.room"
MOST_WAITING = 64 << 20
"""Bytes of evidence that wait; beyond that the oldest is given up."""
_SHARE = 16  # of what is free on the disk one part of so many is taken, at most
_HEAD = struct.Struct(">4sIQ")
_FLAGS = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"))
_WAITS, _WRITTEN, _END = b"wait", b"done", bytes(_HEAD.size)


@dataclass(frozen=True)
class Evidence:
    """What one folder of the ring is to hold. key: of its image; files: name -> content."""

    key: bytes
    name: str
    files: dict[str, bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def packed(self) -> bytes:
        said = {"key": self.key.hex(), "name": self.name, "files": {name: len(it) for name, it in self.files.items()}}
        text = json.dumps(said).encode()
        return b"".join((struct.pack(">I", len(text)), text, *self.files.values()))

    @classmethod
    def unpacked(cls, body: bytes) -> Evidence:
        """Raises KeyError, TypeError, ValueError or struct.error for what `packed` did not make."""
        at = 4 + struct.unpack_from(">I", body)[0]
        said, files = json.loads(body[4:at]), {}
        for name, size in said["files"].items():
            files[_plain(name)] = body[at : at + size]
            at += size
        return cls(bytes.fromhex(said["key"]), _plain(said["name"]), files)


def _plain(name: str) -> str:
    if not name or name in (".", "..") or any(sign in name for sign in "/\\\0"):
        raise ValueError(name)
    return name


class Waiting:
    """What waits, the oldest first. path: of the file, None for none; what an earlier watch left in it waits again.

    Where there was no room for the file, or the system does not let it be written, memory has to do: `kept` says so.
    """

    def __init__(self, path: Path | None) -> None:
        self._queue: deque[tuple[Evidence, int | None]] = deque()  # and where each lies in the file
        self._path, self._file, self._size, self._next = path, -1, 0, 0
        if path is None:
            return
        with suppress(OSError):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
            self._size = _taken(self._file, path)
            for at, body in self._entries():
                with suppress(KeyError, TypeError, ValueError, struct.error):
                    self._queue.append((Evidence.unpacked(body), at))

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def first(self) -> Evidence:
        return self._queue[0][0]

    @property
    def kept(self) -> int:
        """How many of them outlive the process."""
        return sum(at is not None for _, at in self._queue)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(one.size for one, _ in self._queue)

    def add(self, made: Evidence) -> None:
        at = self._put(made)
        if at is None and self._next:  # entries that are done lie in its way
            waiting, self._next = list(self._queue), 0
            self._queue = deque((one, self._put(one)) for one, _ in waiting)
            at = self._put(made)
        self._queue.append((made, at))
        while self.size > MOST_WAITING:
            self.done()

    def done(self) -> Evidence:
        """The first does not wait any more."""
        made, at = self._queue.popleft()
        self._strike(at)
        return made

    def drop(self, key: bytes) -> None:
        """Forget an image that does not count."""
        struck = [at for one, at in self._queue if one.key == key]
        self._queue = deque((one, at) for one, at in self._queue if one.key != key)
        for at in struck:
            self._strike(at)

    def _strike(self, at: int | None) -> None:
        if at is not None:
            self._write(at, _WRITTEN)
        if not self._queue and self._next:
            self._write(0, _END)
            self._next = 0

    def close(self) -> None:
        """The file goes unless something waits in it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None and not self.kept:
            with suppress(OSError):
                self._path.unlink()

    def _put(self, made: Evidence) -> int | None:
        """Where it lies in the file; None where it does not."""
        body, at = made.packed(), self._next
        end = at + _HEAD.size + len(body)
        # What lies behind from before must not be taken for an entry.
        after = _END[: max(0, self._size - end)]
        if end > self._size or not self._write(at, _HEAD.pack(_WAITS, zlib.crc32(body), len(body)) + body + after):
            return None
        self._next = end
        return at

    def _write(self, at: int, data: bytes) -> bool:
        """Whether it is safe on the disk."""
        if self._file < 0:
            return False
        try:
            os.lseek(self._file, at, os.SEEK_SET)
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            return False
        return True

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        """(place, body) of those that wait; the first that is not whole is the end."""
        while self._next + _HEAD.size <= self._size:
            os.lseek(self._file, self._next, os.SEEK_SET)
            mark, checksum, size = _HEAD.unpack(os.read(self._file, _HEAD.size))
            if mark not in (_WAITS, _WRITTEN) or self._next + _HEAD.size + size > self._size:
                return
            body = os.read(self._file, size)
            if zlib.crc32(body) != checksum:
                return
            if mark == _WAITS:
                yield self._next, body
            self._next += _HEAD.size + size


def _taken(file: int, path: Path) -> int:
    """The bytes of the file, made so large that it holds what may wait, if the disk has much more than that."""
    status = os.fstat(file)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    wanted = min(MOST_WAITING, shutil.disk_usage(path.parent).free // _SHARE)
    if size >= wanted or not stat.S_ISREG(status.st_mode):
        return size
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, wanted)
        else:
            os.lseek(file, size, os.SEEK_SET)
            for _ in range(size, wanted, 1 << 20):
                os.write(file, bytes(1 << 20))
    except OSError:
        os.ftruncate(file, size)
    return os.fstat(file).st_size
