"""What was learned of a file, kept while its frames are read one after another: few entries, the oldest go first."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO, Generic, TypeVar

T = TypeVar("T")
Identity = tuple[int, ...]


def identity(file: BinaryIO) -> Identity | None:
    """Which file this is, in which version; None for one held in memory."""
    try:
        status = os.fstat(file.fileno())
    except OSError:  # io.UnsupportedOperation is one
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Memo(Generic[T]):
    """`of(file, make)` gives what `make` gave for the same version of the file before; safe in several threads.

    drop: called on what is let go (to close it).
    """

    def __init__(self, most: int, drop: Callable[[T], object] = id) -> None:
        self._most, self._drop = most, drop
        self._kept: OrderedDict[tuple[Identity, object], T] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, file: BinaryIO, make: Callable[[], T], more: object = None) -> T:
        """more: what else the result depends on. A file in memory is looked at again each time."""
        which = identity(file)
        if which is None:
            return make()
        key = which, more
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        old: list[T] = []
        with self._guard:
            if key in self._kept:  # another thread was faster
                old.append(made)
                made = self._kept[key]
            else:
                self._kept[key] = made
                while len(self._kept) > self._most:
                    old.append(self._kept.popitem(last=False)[1])
        for each in old:
            self._drop(each)
        return made

    def values(self) -> list[T]:
        """What is kept, the oldest first."""
        with self._guard:
            return list(self._kept.values())

    def forget(self, file: BinaryIO, more: object = None) -> None:
        """Let go of what is known of this file."""
        which = identity(file)
        with self._guard:
            gone = self._kept.pop((which, more), None) if which is not None else None
        if gone is not None:
            self._drop(gone)

    def clear(self) -> None:
        """Let go of everything."""
        with self._guard:
            gone = list(self._kept.values())
            self._kept.clear()
        for each in gone:
            self._drop(each)
