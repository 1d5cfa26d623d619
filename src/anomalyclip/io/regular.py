"""Opening what a name leads to only where it is a file: by the descriptor, for the name may lead elsewhere by then."""

from __future__ import annotations

import io
import os
import stat
from typing import Any, BinaryIO

from anomalyclip.io.names import StrPath


class _File(io.FileIO):
    """What calls itself a file and has nothing to say yet (/proc/kmsg) has ended; without O_NONBLOCK it would block."""

    def readinto(self, buffer: Any) -> int:
        return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        return super().readall() or b""


def open_regular(path: StrPath) -> BinaryIO:
    """A regular file, for reading. Raises OSError for all else: a pipe would block, a device would never end.

    Without O_NONBLOCK opening a pipe waits for whoever writes to it, for ever.
    """
    file = _File(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is not a regular file")
    return io.BufferedReader(file)
