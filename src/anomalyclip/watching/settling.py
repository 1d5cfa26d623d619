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


class Stat(NamedTuple):
    """Size in bytes and time of the last change in nanoseconds: what tells a file from its later versions."""

    size: int
    mtime_ns: int


GONE = Stat(-1, -1)  # should it come back, it is new


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

    def endless(self, settle: float, now: float) -> bool:
        """Whether it went on changing for longer than a watch that is to end waits for; slow settling is no change."""
        return not self.tries and now - self.first >= max(ONCE_PATIENCE, 2 * EMPTY_PATIENCE * settle)
