"""Temporary folders. A killed process cannot remove its own: the next one that makes any does."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from anomalyclip.errors import OutputError
from anomalyclip.io.locks import lies_at, lock

_PREFIX = "anomalyclip-tmp-"
_OURS = re.compile(rf"{_PREFIX}[a-z]+-\w{{8}}")


@contextlib.contextmanager
def scratch(what: str, place: Path | None = None) -> Iterator[Path]:
    """A new folder `anomalyclip-tmp-WHAT-*` where the system keeps temporary files, which goes with the block.

    It is locked as long as this process lives; what nobody holds any more goes first. what: small letters. place:
    another than the system's, where the folder's name has to be short.

    Raises:
        OutputError: there is no room, or nowhere to make it.
    """
    try:
        place = place or Path(tempfile.gettempdir())
        sweep(place)
        folder, descriptor = _made(place, what)
    except OSError as error:
        raise OutputError(
            f"cannot make a temporary folder: {error.strerror or error}; free some space there, or name another place "
            "in the environment as TMPDIR"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def sweep(place: Path) -> None:
    """Remove what killed processes of this user left. Where the system has no locks for folders, nothing."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(place)):
            if _OURS.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove(Path(entry.path))


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if os.fstat(descriptor).st_uid == os.getuid() and lock(descriptor):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _made(place: Path, what: str) -> tuple[Path, int | None]:
    """A new folder, and its lock, which another process may have come before in order to remove it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-", dir=place))
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        except OSError:  # Windows opens no folders
            return folder, None
        if lock(descriptor) is not False and lies_at(descriptor, folder):
            return folder, descriptor
        os.close(descriptor)
