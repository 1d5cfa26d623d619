"""Files appear complete or not at all: write beside the target, then rename."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalyclip.errors import OutputError
from anomalyclip.io.locks import lock
from anomalyclip.io.names import StrPath, printable

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free some space or choose another folder"),
    errno.EFBIG: ("the file would be larger than this system allows", "choose another folder or raise the limit"),
    errno.EACCES: ("permission denied", "make the folder writable or choose another one"),
    errno.EPERM: ("permission denied", "make the folder writable or choose another one"),
    errno.EROFS: ("the file system is read-only", "choose a folder on another disk"),
    errno.ENOENT: ("its folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("a folder of that name exists", "choose another name or remove the folder"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "choose a shorter name"),
}

TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""Names of files that are being written."""
_DAY = 86_400.0  # seconds after which one that cannot be locked is nobody's


def output_error(path: StrPath, error: OSError | ValueError) -> OutputError:
    """The `OutputError` for a failed write to `path`: the file, the reason, what to do next, in one line."""
    code = error.errno if isinstance(error, OSError) else None
    reason, remedy = _REASONS.get(code or 0, (" ".join(str(error).split()), "check the path and the disk"))
    return OutputError(f"cannot write {printable(path)}: {reason}; {remedy}")


@contextmanager
def atomic_write(path: StrPath, *, fsync: bool = False) -> Iterator[Path]:
    """Give a temporary file in the target's folder to fill; on leaving without an error it replaces `path`.

    The temporary file exists, is empty, has the permissions of any new file, and a hidden name that ends in ``.tmp``
    (so that a program watching the folder by suffix does not see it). After an error, or Ctrl-C, it is removed and
    `path` is as it was; what a killed process left, `sweep` removes. A symbolic link as `path` is followed. With
    `fsync` the content is on the disk before the rename, which survives a power cut at the price of a few milliseconds
    per file.

    Raises:
        OutputError: the target is not a regular file, or any `OSError` while writing; names the path and a remedy.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_write(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    try:
        target = Path(os.path.realpath(path))
        # Renaming onto a device (/dev/null) would destroy it.
        if target.exists() and not target.is_file() and not target.is_dir():
            raise OutputError(f"cannot write {printable(path)}: it is not a regular file; choose another name")
        temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except (OSError, ValueError) as error:  # ValueError: NUL in the path, or a path without a name
        raise output_error(path, error) from error
    try:
        if lock(descriptor) is None:  # Windows renames no open file
            os.close(descriptor)
            descriptor = -1
        yield temporary
        if fsync:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            temporary.unlink()


def sweep(folder: Path, pattern: str = "*") -> None:
    """Remove the files that killed processes were writing, in the folders of a `glob` pattern that ends in ``*``."""
    with contextlib.suppress(OSError):
        for file in folder.glob(f"{pattern}.tmp"):
            if TEMPORARY.fullmatch(file.name):
                with contextlib.suppress(OSError), file.open("rb") as stream:
                    ours = lock(stream.fileno())
                    if ours or (ours is None and time.time() - file.stat().st_mtime > _DAY):
                        file.unlink()


def write_bytes(path: StrPath, data: bytes, *, fsync: bool = False) -> None:
    """Write `data` to `path` atomically. Raises `OutputError`."""
    with atomic_write(path, fsync=fsync) as temporary:
        temporary.write_bytes(data)
