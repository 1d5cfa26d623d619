"""Locks that other processes see. They go with whoever holds them, however it ends."""

from __future__ import annotations


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
