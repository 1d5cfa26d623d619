"""Opening what a name leads to only where it is a file: by the descriptor, for the name may lead elsewhere by then."""

from __future__ import annotations

import errno
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


_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


class NotAFileError(OSError):
    """What a name leads to is no regular file; the message says what it is."""


def not_a_file(mode: int) -> str | None:
    """What `st_mode` tells of anything but a regular file, as a sentence; None of a file."""
    if stat.S_ISREG(mode):
        return None
    what = next((f"{name}, " for is_one, name in _KINDS if is_one(mode)), "")
    return f"it is {what}not a regular file"


def open_regular(path: StrPath) -> BinaryIO:
    """A regular file, for reading. Raises OSError; NotAFileError of what is none: a pipe would block, a device not end.

    Without O_NONBLOCK opening a pipe waits for whoever writes to it, for ever.
    """
    try:
        file = _File(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise NotAFileError(not_a_file(os.stat(path).st_mode)) from error  # noqa: PTH116 - a name as it is
        raise
    if (told := not_a_file(os.fstat(file.fileno()).st_mode)) is not None:
        file.close()
        raise NotAFileError(told)
    return io.BufferedReader(file)
