"""A limit of address space (`ulimit -v`, a batch system's limit of memory) that leaves too little for a model.

onnxruntime, OpenBLAS and C++ end the process where they get no memory, and some failures of theirs take it down: what
cannot end well is refused beforehand, and Python's own failures for want of memory or threads are one line.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from anomalyclip.errors import ConfigError

try:
    import resource  # now: when memory is out it could not be
except ImportError:
    resource = None  # type: ignore[assignment]

_M_ARENA_MAX = -8  # of <malloc.h>
_MB = 10**6
_ROOM = {"graph": 1_150 * _MB, "torch": 1_150 * _MB, "export": 2_000 * _MB}
_START = 160 * _MB
"""NumPy with its OpenBLAS on 2 and more threads, and Pillow (110 MB on one)."""
_NEEDS = {"graph": "a model", "torch": "a model in torch", "export": "an export or training"}
_ROOM_A_THREAD = 50 * _MB
"""Beside 1,109 MB that `pocket` took at its peak; with 640 MB a run hung, for what reason was not found."""
_SIGNS = ("bad_alloc", "can't start new thread", "failed to map segment", "annot allocate memory", "not enough memory")


def check_start() -> None:
    """Before NumPy is imported, whose OpenBLAS ends the process. Raises ConfigError where a limit is too low."""
    limit = _limit()
    if limit is not None and limit < _START:
        raise ConfigError(
            f"this shell or batch system lets a process have {limit // _MB:,} MB of address space, the least to start "
            f"with is {_START // _MB:,} MB, and a model needs {_ROOM['graph'] // _MB:,} MB more: raise the limit "
            f"(ulimit -v {(_START + _ROOM['graph']) // 1024} or more, or unlimited)"
        )


def check_address_space(threads: int | None, by: str = "graph") -> None:
    """Before a model is opened. Raises ConfigError where a limit is too low.

    threads: of the model, None for all. by: "graph", "torch" or "export".

    Where there is a limit all threads share one heap: glibc reserves 64 MB for the heap of each.
    """
    limit = _limit()
    if limit is None:
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    needed = _used() + _ROOM[by] + _ROOM_A_THREAD * (threads or os.cpu_count() or 1)
    if limit < needed:
        raise ConfigError(
            f"this shell or batch system lets a process have {limit // _MB:,} MB of address space, {_NEEDS[by]} needs "
            f"{needed // _MB:,} MB: raise the limit (ulimit -v {needed // 1024}, or unlimited), or give fewer --threads"
        )


def out_of_memory(error: Exception) -> str | None:
    """What is told of a failure for want of memory or threads; None for any other."""
    said = " ".join(str(error).split())
    if not isinstance(error, MemoryError) and not any(sign in said for sign in _SIGNS):
        return None
    limit = _limit()
    least = "" if limit is None else f" of the {limit // _MB:,} MB of address space that ulimit -v leaves it"
    return (
        f"the system gave this process no more memory or threads{least} ({said[:120] or type(error).__name__}): end "
        "other programs, give fewer --threads and --workers, or raise the limit (ulimit -v, ulimit -u)"
    )


def _limit() -> int | None:
    """Bytes of address space that this process may have; None without a limit, and where there is no such thing."""
    if resource is None or not sys.platform.startswith("linux"):
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _used() -> int:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
