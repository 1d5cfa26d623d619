"""When a file in a watched folder is complete: what is known of it between two looks."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

EMPTY_PATIENCE = 10  # an empty file is one whose writer has not begun: it may take so many times longer to settle
TRIES = 5
ONCE_PATIENCE = 60.0  # seconds that a watch which is to end waits for a file that goes on changing
# What passes by itself: the writer still holds the file (Windows), or a share is away for a moment.
PASSING = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN}
PASSING |= {getattr(errno, name) for name in ("ESTALE", "EREMOTEIO") if hasattr(errno, name)}


_SECOND = 10**9
_TICK, _COARSE = 0.02, 2.0  # seconds within which two changes may bear one time: of kernels, and of FAT


class Stat(NamedTuple):
    """What tells a file from its later versions: size in bytes, last change of the content and of the entry in
    nanoseconds since 1970 (a copy that keeps its date changes the second alone)."""

    size: int
    mtime_ns: int
    ctime_ns: int

    def doubted(self) -> Stat:
        """One that no file has, so that the content is compared at the next look."""
        return Stat(self.size, -1, -1)

    @property
    def grain(self) -> float:
        """Seconds within which a later change may bear the same times."""
        return _TICK if self.mtime_ns % _SECOND or self.ctime_ns % _SECOND else _COARSE


GONE = Stat(-1, -1, -1)  # should it come back, it is new


@dataclass
class Pending:
    """A file that is not known to be complete. since: when it was last seen to change (monotonic seconds); first: when
    it was first seen."""

    stat: Stat
    since: float
    first: float
    tries: int = 0

    def settled(self, settle: float, now: float) -> bool:
        """Whether it did not change for so long that it counts as complete."""
        return now - self.since >= settle * (1 if self.stat.size else EMPTY_PATIENCE) * 2.0**self.tries

    def told_apart(self, now: float) -> bool:
        """Whether a change from now on is seen: it cannot bear the times that the file has."""
        return now - self.since >= self.stat.grain

    def endless(self, settle: float, now: float) -> bool:
        """Whether it went on changing for longer than a watch that is to end waits for; slow settling is no change."""
        return not self.tries and now - self.first >= max(ONCE_PATIENCE, 2 * EMPTY_PATIENCE * settle)
