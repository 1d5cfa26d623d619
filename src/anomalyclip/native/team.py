"""Threads that run one C call together, in which they wait for each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier, Lock


class Team:
    """``size`` threads for calls that need all of them at once, where :mod:`anomalyclip.native.threads` may give fewer.

    The threads live as long as the team, sleep between calls, and end with it or with the interpreter. A forked process
    has none of its parent's threads and starts its own at its first call; where another thread was inside a call at the
    moment of the fork, that call is lost in the child and goes on in the parent.

    Args:
        size: threads, 1 or more; a team of one works in the caller's thread.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._start()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For one caller at a time; others wait."""
        if self._process != os.getpid():
            self._start()
        with self._lock:
            yield

    def run(self, call: Callable[[int], object]) -> None:
        """``call(0)`` .. ``call(size - 1)``, each in a thread of its own; returns when all have ended.

        Call it inside :meth:`alone`. An interrupt from the keyboard is raised after that: it comes to the main thread
        only, which therefore starts one thread that starts the others. Left half started, they would wait forever.
        """
        if self._pool is None:
            call(0)
            return
        leading = self._pool.submit(self._lead, self._pool, call)
        try:
            leading.result()
        finally:
            wait([leading])

    def _lead(self, pool: ThreadPoolExecutor, call: Callable[[int], object]) -> None:
        others = [pool.submit(call, number) for number in range(1, self.size)]
        call(0)
        for other in others:
            other.result()

    def _start(self) -> None:
        """All threads now: one that could not be started later would leave the others waiting."""
        self._process, self._lock = os.getpid(), Lock()
        self._pool: ThreadPoolExecutor | None = None
        if self.size > 1:
            self._pool = ThreadPoolExecutor(self.size, thread_name_prefix="anomalyclip-native")
            here = Barrier(self.size)
            try:
                list(self._pool.map(lambda _: here.wait(), range(self.size)))
            except RuntimeError:
                here.abort()
                raise
