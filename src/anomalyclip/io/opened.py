"""A regular file, opened for one piece of work whose every failure is one `ImageReadError` with one line."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from anomalyclip.errors import ImageReadError
from anomalyclip.io.names import StrPath, is_address, printable
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated
from anomalyclip.io.regular import not_a_file, open_regular

_PATH_PROBLEMS = {
    errno.ENOENT: ("there is no such file", "check the path"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "check the path"),
    errno.EACCES: ("permission denied", "make the file and its folder readable"),
    errno.EPERM: ("permission denied", "make the file and its folder readable"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "check the path"),
    errno.ELOOP: ("it is a symbolic link that leads back to itself", "repair the link"),
}

T = TypeVar("T")


def reported(name: StrPath, read: Callable[[], T]) -> T:
    """Run `read`, turning whatever it raises into one line about `name`."""
    shown = printable(name) or "''"
    try:
        return read()
    except Refusal as refusal:
        raise ImageReadError(f"{shown}: {refusal}") from refusal.__cause__
    except MemoryError as error:
        raise ImageReadError(f"{shown}: not enough memory to decode it; scale it down") from error
    except Exception as error:  # decoders raise nearly anything on hostile bytes: struct.error, KeyError, OSError ...
        text = " ".join(str(error).split()) or type(error).__name__
        if "truncat" in text.lower():
            raise ImageReadError(f"{shown}: {truncated()}") from error
        raise ImageReadError(f"{shown}: the image is damaged or cut off ({text[:120]}); {EXPORT_AGAIN}") from error


def use_file(path: StrPath, use: Callable[[BinaryIO], T], max_bytes: int) -> T:
    """Open a regular file, hand it to `use`, and report any failure as an `ImageReadError` that names the file."""

    def read() -> T:
        with _opened(path, max_bytes) as file:
            return use(file)

    return reported(path, read)


def _opened(path: StrPath, max_bytes: int) -> BinaryIO:
    try:
        if not os.fspath(path):
            raise Refusal("the path is empty", "give the path of an image file")
        _check_kind(Path(path).stat(), max_bytes)  # before it is opened, for opening a device can do things; and after
        return open_regular(path)
    except OSError as error:
        what, remedy = _PATH_PROBLEMS.get(error.errno or 0, (error.strerror or str(error), "check the path and disk"))
        if error.errno == errno.ENOENT and is_address(path):
            remedy = "addresses are not opened here: download it, and give the path of the file"
        raise Refusal(what, remedy) from error
    except ValueError as error:
        raise Refusal("the path holds a NUL character", "check the path") from error


def _check_kind(status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Refusal("it is a folder", "give an image file, or list the folder's files")
    if (told := not_a_file(status.st_mode)) is not None:
        raise Refusal(told, "copy the image to a file first")
    check_bytes(status.st_size, max_bytes)


def check_bytes(size: int, max_bytes: int) -> None:
    """Raises `Refusal` for more than `max_bytes`."""
    if size > max_bytes:
        raise Refusal(
            f"the file has {size / 1e6:,.4g} MB, the limit is {max_bytes / 1e6:,.4g} MB",
            "save it smaller or compressed, or raise max_bytes",
        )
