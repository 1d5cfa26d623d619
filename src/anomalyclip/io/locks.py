"""Locks that other processes see. They go with whoever holds them, however it ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_PAUSE = 0.05  # seconds between two looks at a lock that another holds
_TOLD_AFTER = 1.0


def lock(descriptor: int) -> bool | None:
    """Lock an open file or folder for as long as it is open, without waiting.

    Returns:
        True: it is ours. False: another's. None: the system, or a network file system, has no such locks.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of a file now; False where there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (OSError, ValueError):
        return False
    try:
        return lock(descriptor) is False
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path, *, wait: float = 0.0, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold the lock of the file `path`, which is made for it and goes with the block.

    wait: seconds to wait for another who holds it. waiting: called where that takes more than a second.

    Gives:
        Whether it is ours, or the system has no such locks. What a killed process left there is locked by nobody.

    Raises:
        OSError: the file cannot be made. ValueError: NUL in its name.
    """
    descriptor = _taken(path, wait, waiting)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # Windows: while it is open
                path.unlink()
            os.close(descriptor)


def _taken(path: Path, wait: float, waiting: Callable[[], None] | None) -> int | None:
    """The locked file; None where another holds it all the time."""
    began = time.monotonic()
    while True:
        descriptor = _opened(path)
        ours = lock(descriptor)
        # Whoever held it has removed it before letting go: what was opened before that is no longer the lock.
        if ours is None or (ours and lies_at(descriptor, path)):
            return descriptor
        os.close(descriptor)
        if ours:
            continue
        waited = time.monotonic() - began
        if waited >= wait:
            return None
        if waiting is not None and waited > _TOLD_AFTER:
            waiting()
            waiting = None
        time.sleep(_PAUSE)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # left by another user, who may be read
        return os.open(path, os.O_RDONLY)


def lies_at(descriptor: int, path: Path) -> bool:
    """Whether an open file or folder is still the one of this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
