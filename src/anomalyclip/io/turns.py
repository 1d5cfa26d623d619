"""Work that threads do ahead of who asked for it, and the order in which it was handed out, where order decides.

Which of several pictures comes first decides which scale of floats a run takes (`anomalyclip.io.reading`). Threads that
read ahead finish in any order, so the same run would refuse these pictures today and those tomorrow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_WAIT: ContextVar[Callable[[], object] | None] = ContextVar("wait", default=None)


@contextmanager
def readers(number: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads that read ahead. At the end, or an interrupt, what has not begun is dropped."""
    pool = ThreadPoolExecutor(number, thread_name_prefix="anomalyclip-read")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Turns:
    """`pool.submit(turns.next(work), ...)`: inside `work`, :func:`my_turn` returns when all that came before has ended.

    The pool must begin its work in the order in which `next` was called, as executors do: what is waited for has begun.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = 0
        self._ended: set[int] = set()
        self._first = 0  # the first that has not ended

    def next(self, work: Callable[P, R]) -> Callable[P, R]:
        """The same work, with the next place in the order; to be called once."""
        number, self._given = self._given, self._given + 1

        def in_turn(*args: P.args, **kwargs: P.kwargs) -> R:
            before = _WAIT.set(partial(self._wait, number))
            try:
                return work(*args, **kwargs)
            finally:
                _WAIT.reset(before)
                self._end(number)

        return in_turn

    def _wait(self, number: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._first >= number)

    def _end(self, number: int) -> None:
        with self._changed:
            self._ended.add(number)
            while self._first in self._ended:
                self._ended.remove(self._first)
                self._first += 1
            self._changed.notify_all()


def my_turn() -> None:
    """Wait for what was handed out before the work under way; returns at once where that has no order."""
    wait = _WAIT.get()
    if wait is not None:
        wait()
