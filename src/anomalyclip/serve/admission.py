"""The door: how much is inside already, and whether more may come in. Used on the event loop's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anomalyclip.serve.config import Limits
from anomalyclip.serve.refusals import Refused

_FEWEST = 2  # images inside: one is read while another is looked at
_FADING = 2.0  # seconds in which half of those who were turned away have come back
_LONGEST_RETRY = 15.0  # seconds
_LESS, _MORE = 0.7, 0.5  # down by a factor where something took too long, up by steps where it did not

_KEPT, _SMALL_BODY = 8, 1 << 20  # an eighth of the memory of bodies is for those of a megabyte
_MOST_ASIDE = 12  # requests that may wait for much work, beside those that others wait behind

ANSWER = "anomalyclip.answer"
"""Key of an ASGI scope: bytes of the answer that `Admission.answer` counts."""


class Admission:
    """Counts requests, images and bytes inside and refuses what would exceed a limit, with a time to come back.

    pace: seconds the model lately took per image, for Retry-After.
    """

    def __init__(self, limits: Limits, pace: Callable[[], float] = lambda: 0.1) -> None:
        self.limits, self._pace = limits, pace
        self.requests = self.aside = self.images = self.bytes = self.answers = 0
        # Images inside, as far as `limits.max_wait` is kept; a few at first, before it is known how long they take.
        self.allowed = float(limits.queue if limits.max_wait is None else min(limits.queue, 4 * _FEWEST))
        self._turned_away, self._since = 0.0, time.monotonic()  # lately, fading

    def _busy(self, what: str) -> Refused:
        """Those who are turned away are told to come back when the ones before them have had their turn: all of them at
        once would be turned away again, which is work for nobody."""
        now = time.monotonic()
        self._turned_away *= 0.5 ** ((now - self._since) / _FADING)
        self._since = now
        self._turned_away += 1
        seconds = min((self.images + self._turned_away) * self._pace(), self.limits.work_seconds, _LONGEST_RETRY)
        return Refused("busy", f"the server is busy: {what}; try again after the time in Retry-After",
                       retry_after=seconds)  # fmt: skip

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold one place for a request, before its body is read. Raises Refused (429)."""
        if self.requests - self.aside >= self.limits.max_requests:
            raise self._busy(f"{self.requests} requests are being worked on")
        if self.images >= self.limits.queue:
            raise self._busy(f"{self.images} images wait")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def accepted(self, images: int) -> Iterator[Stay]:
        """Hold places for the images of a request: all of them or none. Raises Refused (429)."""
        stay, start = Stay(self), time.monotonic()
        stay.need(images)
        try:
            yield stay
        finally:
            if not stay.slow:
                self._learn(time.monotonic() - start)
            stay.end()

    def enter(self, images: int, *, alone: bool) -> None:
        """Take so many places more. alone: nobody else has any. Raises Refused (429)."""
        if self.images + images > self.limits.queue:
            raise self._busy(f"{self.images} of {self.limits.queue} places are taken, {images} are needed")
        if not alone and self.images + images > self.allowed:
            raise self._busy(f"{self.images} images are being worked on, more would wait too long")
        self.images += images

    def step_aside(self) -> None:
        """Count a request that is much work. Raises Refused (429)."""
        if self.aside >= _MOST_ASIDE:
            raise self._busy(f"{self.aside} requests with much work are being worked on")
        self.aside += 1

    def _learn(self, seconds: float) -> None:
        """Half of the wait that is promised is what is aimed at: some take twice as long as others."""
        if self.limits.max_wait is None:
            return
        if seconds > self.limits.max_wait / 2:
            self.allowed = max(float(_FEWEST), min(self.allowed, self.images) * _LESS)
        else:
            self.allowed = min(float(self.limits.queue), self.allowed + _MORE)

    def receive(self, size: int, whole: int) -> None:
        """Count bytes of a body that came in; `release` them when its request ends. Raises Refused (429).

        whole: of its bytes that came in so far; large bodies leave a part of the memory to small ones.
        """
        self.bytes += size
        kept = self.limits.bytes_in_flight // _KEPT if whole > _SMALL_BODY else 0
        if self.bytes > self.limits.bytes_in_flight - kept:
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


class Stay:
    """The places of one request. slow: whether its work was much, so that its time says nothing of others' waits.

    since, taken: see `turns.Taker`. costly: files of it of which a picture was not quick.
    """

    def __init__(self, door: Admission) -> None:
        self._door, self._images = door, 0
        self.slow = False
        self.since, self.taken = time.monotonic(), 0.0
        self.costly: set[Callable[[], bytes]] = set()

    def need(self, images: int) -> None:
        """Hold places for so many images in all. Raises Refused (429)."""
        more = images - self._images
        if more > 0 and not self.slow:
            self._door.enter(more, alone=self._door.images == self._images)
            self._images += more

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around what is much work: others take the places meanwhile, and until it ends. Raises Refused (429)."""
        if not self.slow:
            self._door.step_aside()
            self._door.images -= self._images
            self._images, self.slow = 0, True
        yield

    def end(self) -> None:
        self._door.images -= self._images
        self._door.aside -= self.slow
