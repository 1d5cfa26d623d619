"""When a file in a watched folder is complete: what is known of it between two looks."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

EMPTY_PATIENCE = 10  # an empty file is one whose writer has not begun: it may take so many times longer to settle
TRIES = 5
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
    """A file that is not known to be complete. since: when it was last seen to change (monotonic seconds)."""

    stat: Stat
    since: float
    tries: int = 0
