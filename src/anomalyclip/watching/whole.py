"""The content of a file that arrived, whole and of one version, or why it cannot be had."""

# os.path keeps undecodable names.

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b

from anomalyclip.detect.inputs import formula_safe
from anomalyclip.errors import ImageReadError
from anomalyclip.io.limits import DEFAULT_MAX_BYTES
from anomalyclip.io.regular import NotAFileError, open_regular
from anomalyclip.watching.settling import PASSING, Stat


class StillWrittenError(ImageReadError):
    """The file is no longer the one that arrived; it will come again."""

    def __init__(self) -> None:
        super().__init__("the file is still being written")


class VanishedError(ImageReadError):
    """The file is gone."""

    def __init__(self) -> None:
        super().__init__("the file vanished before it was scored; move files away later, or score faster")


class UnreadableError(ImageReadError):
    """The system does not give it. passing: whether that may pass by itself."""

    def __init__(self, reason: str, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


def read_whole(path: str, expected: Stat) -> bytes:
    """Raises StillWrittenError, VanishedError, UnreadableError; ImageReadError for what will not change: a link that
    leads nowhere, a file that holds more than the system says."""
    try:
        with open_regular(path) as file:
            before = stat_of(os.fstat(file.fileno()))
            if before.size > DEFAULT_MAX_BYTES:  # it grew since it arrived
                raise StillWrittenError
            data = file.read(before.size + 1)  # a byte more of one that grows
            after = stat_of(os.fstat(file.fileno()))
    except FileNotFoundError:
        if os.path.lexists(path):
            raise ImageReadError("it is a link to a file that is not there; repair the link") from None
        raise VanishedError from None
    except NotAFileError as error:
        raise UnreadableError(f"{error}; copy the image to a file", passing=False) from error
    except OSError as error:
        reason = f"cannot read the file: {error.strerror or error}; make it readable"
        raise UnreadableError(reason, passing=error.errno in PASSING) from error
    if not expected == before == after or len(data) < after.size:
        raise StillWrittenError
    if len(data) > after.size:  # as those of /proc, today and tomorrow
        raise ImageReadError("it holds more than the system says; copy the image to a file first")
    return data


def stats_at(path: str) -> Iterator[tuple[str, Stat]]:
    """Of the file that a name leads to; of the name itself where it leads nowhere. Nothing where it is gone."""
    for look in (os.stat, os.lstat):
        with suppress(OSError):  # at last: it vanished under our eyes
            yield formula_safe(path), stat_of(look(path))
            return


def stat_of(status: os.stat_result) -> Stat:
    """What tells a file from its later versions."""
    return Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def digest(data: bytes) -> bytes:
    """Of a file's content, 16 bytes."""
    return blake2b(data, digest_size=16).digest()
