"""How the threads of a computation wait for each other: not long awake.

OpenMP's threads spin for milliseconds at every barrier, in the hope of the next piece of work. On cores that other
programs use as well this is most of what a small model takes: `evaluate` of four pictures on two busy cores took 19.6 s
of CPU and 82 s, with a short wait 9.3 s and 33 s. Where the cores are free, the wait is long enough for pieces that
follow each other.
"""

from __future__ import annotations

import os

_SPINS = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1"}  # turns of GCC's runtime; milliseconds of LLVM's and Intel's
_CHOSEN = ("OMP_WAIT_POLICY", *_SPINS)


def wait_briefly() -> None:
    """To be called before a library loads its OpenMP runtime, which reads this once. A user's own choice stays."""
    if not any(name in os.environ for name in _CHOSEN):
        os.environ.update(_SPINS)
