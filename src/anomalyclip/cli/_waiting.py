"""How the threads of a computation wait for each other: not long awake.

OpenMP's threads spin for milliseconds at every barrier, in the hope of the next piece of work. On cores that other
programs use as well this is most of what a small model takes; where the cores are free, threads that sleep too soon are
woken for every piece. `pocket` on torch, two threads, ms a picture by the clock: with 300,000 turns, GCC's own, 20,000
and 2,000 at least 148, 158, 190 where it has two cores, and 4,400, 2,600, 2,300 among 10 to 18 busy processes
(docs/performance-log.md).
"""

from __future__ import annotations

import os

_SPINS = {"GOMP_SPINCOUNT": "20000", "KMP_BLOCKTIME": "1"}  # turns of GCC's runtime; milliseconds of LLVM's and Intel's
_CHOSEN = ("OMP_WAIT_POLICY", *_SPINS)


def wait_briefly() -> None:
    """To be called before a library loads its OpenMP runtime, which reads this once. A user's own choice stays."""
    if not any(name in os.environ for name in _CHOSEN):
        os.environ.update(_SPINS)


def set_here() -> frozenset[str]:
    """The variables that stand as :func:`wait_briefly` leaves them: nobody's choice."""
    return frozenset(_SPINS) if _SPINS.items() <= os.environ.items() else frozenset()
