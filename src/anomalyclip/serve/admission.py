"""The door: how much is inside already, and whether more may come in. Used on the event loop's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anomalyclip.serve.config import Limits
from anomalyclip.serve.refusals import Refused

_FEWEST = 4  # images inside that keep the readers and the model busy
_LESS, _MORE = 0.7, 0.5  # down by a factor where something took too long, up by steps where it did not

ANSWER = "anomalyclip.answer"
"""Key of an ASGI scope: bytes of the answer that `Admission.answer` counts."""


class Admission:
    """Counts requests, images and bytes inside and refuses what would exceed a limit, with a time to come back.

    pace: seconds the model lately took per image, for Retry-After.
    """

    def __init__(self, limits: Limits, pace: Callable[[], float] = lambda: 0.1) -> None:
        self.limits, self._pace = limits, pace
        self.requests = self.images = self.bytes = self.answers = 0
        # Images inside, as far as `limits.max_wait` is kept; a few at first, before it is known how long they take.
        self.allowed = float(limits.queue if limits.max_wait is None else min(limits.queue, 2 * _FEWEST))

    def _busy(self, what: str) -> Refused:
        seconds = min(self.images * self._pace(), self.limits.work_seconds)
        return Refused("busy", f"the server is busy: {what}; try again after the time in Retry-After",
                       retry_after=seconds)  # fmt: skip

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold one place for a request, before its body is read. Raises Refused (429)."""
        if self.requests >= self.limits.max_requests:
            raise self._busy(f"{self.requests} requests are being worked on")
        if self.images >= self.limits.queue:
            raise self._busy(f"{self.images} images wait")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def accepted(self, images: int) -> Iterator[None]:
        """Hold places for the images of a request: all of them or none. Raises Refused (429)."""
        if self.images + images > self.limits.queue:
            raise self._busy(f"{self.images} of {self.limits.queue} places are taken, {images} are needed")
        if self.images and self.images + images > self.allowed:
            raise self._busy(f"{self.images} images are being worked on, more would wait too long")
        self.images += images
        start = time.monotonic()
        try:
            yield
        finally:
            self._learn(time.monotonic() - start)
            self.images -= images

    def _learn(self, seconds: float) -> None:
        """Half of the wait that is promised is what is aimed at: some take twice as long as others."""
        if self.limits.max_wait is None:
            return
        if seconds > self.limits.max_wait / 2:
            self.allowed = max(float(_FEWEST), min(self.allowed, self.images) * _LESS)
        else:
            self.allowed = min(float(self.limits.queue), self.allowed + _MORE)

    def receive(self, size: int) -> None:
        """Count bytes of a body that came in; `release` them when its request ends. Raises Refused (429)."""
        self.bytes += size
        if self.bytes > self.limits.bytes_in_flight:
            raise self._busy("the bodies of other requests fill its memory")

    def release(self, size: int) -> None:
        self.bytes -= size

    def answer(self, size: int) -> None:
        """Count bytes of an answer that will be made; `answered` takes them back. Raises Refused (429)."""
        if self.answers and self.answers + size > self.limits.answer_bytes:
            raise self._busy("the maps of other requests fill its memory")
        self.answers += size

    def answered(self, size: int) -> None:
        self.answers -= size
