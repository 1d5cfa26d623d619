"""Whose turn it is where requests share what decodes: first who came first, put back by what he has had of it so far.

A request that has taken a second, or is about to, lets those go first who come within the next `_PATIENCE` seconds, and
nobody else: one of many pictures, or of costly ones, holds up the others by a picture at a time, and is itself held up
for a bounded time only, however many come. Used on the event loop's thread only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

_PATIENCE = 4.0  # seconds of later ones that a second lets go first


class Taker(Protocol):
    """A request. since: when it came; taken: seconds it has had so far, which the turns add to."""

    since: float
    taken: float


class Turns:
    """`async with turn(taker, expected)`: so many at once.

    now: seconds on the clock of `Taker.since`.
    """

    def __init__(self, number: int, now: Callable[[], float] = time.monotonic) -> None:
        self._free, self._now = number, now
        self._waiting: dict[asyncio.Future[None], tuple[Taker, float]] = {}

    @asynccontextmanager
    async def turn(self, taker: Taker, expected: float = 0.0) -> AsyncIterator[None]:
        """expected: seconds that it will take, as far as that is known."""
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[called] = taker, expected
        self._call()
        try:
            await called
            start = self._now()
            try:
                yield
            finally:
                taker.taken += self._now() - start
        finally:
            if self._waiting.pop(called, None) is None:  # it was called
                self._free += 1
            self._call()

    def _call(self) -> None:
        while self._free and self._waiting:
            called = min(self._waiting, key=self._place)  # of equal ones the first that came
            del self._waiting[called]
            self._free -= 1
            if called.done():  # its request has ended, and gives the turn back itself
                continue
            called.set_result(None)

    def _place(self, called: asyncio.Future[None]) -> float:
        taker, expected = self._waiting[called]
        return taker.since + _PATIENCE * (taker.taken + expected)
