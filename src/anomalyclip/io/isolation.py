"""Decoding untrusted files in processes that can be ended: a crash, a hang or a bomb costs one picture, not the line.

`Decoders` keeps a few processes (`isolated`) and gives each picture to one that is free. A picture that takes too long
ends its process; so does whoever cancels its `Ticket`. The next picture gets a fresh one.
"""

from __future__ import annotations

import itertools
import os
import platform
import queue
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ImageReadError
from anomalyclip.io.answers import array_of
from anomalyclip.io.decoder_process import Child, Died
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.limits import DEFAULT_MAX_PIXELS
from anomalyclip.io.mask_levels import MaskLevels
from anomalyclip.io.names import StrPath, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SECONDS = 20.0
"""Of CPU that decoding one picture may take."""
CLOCK = 80.0
"""Seconds by the clock: a machine may be busy, and a decoder may wait for what never comes."""


class DecoderDied(ImageReadError):  # noqa: N818 - what happened, not whose fault it was
    """The process that was decoding a picture ended, or had to be ended."""


class Ended(ImageReadError):  # noqa: N818 - what happened, not whose fault it was
    """We are ending, and so was the reading: it says nothing about the file."""


class NotQuick(Exception):  # noqa: N818 - neither the file's fault nor ours
    """A picture that was to be quick is not: have it read by who has patience."""


@dataclass(frozen=True)
class Survey:
    """What a file's header says. number: of pictures; decoded: most bytes that reading one takes; pixels: of one."""

    number: int
    decoded: int
    pixels: int


def lacking() -> str | None:
    """What this system cannot bound, in one line; None where nothing is missing."""
    system = platform.system()
    if system == "Linux":
        return None
    what = "memory" if system == "Darwin" else "memory and CPU time"
    return f"{system} cannot bound the {what} of the process that decodes; it is ended by the clock alone"


class Ticket:
    """Ends the readings of one piece of work from another thread, at any moment before or during them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._children: set[Child] = set()
        self.cancelled = False

    def cancel(self) -> None:
        with self._guard:
            self.cancelled = True
            for child in self._children:
                child.kill()

    @contextmanager
    def held(self, child: Child) -> Iterator[None]:
        """While this process works for it. Raises ImageReadError where it was cancelled."""
        with self._guard:
            if self.cancelled:
                raise ImageReadError("the request has ended")
            self._children.add(child)
        try:
            yield
        finally:
            with self._guard:
                self._children.discard(child)


class Decoders:
    """So many processes that decode; safe in as many threads. Started when they are first needed, or by `warm`.

    seconds: of CPU per picture. clock: seconds by the clock. nice: how far they stand back for other processes.
    """

    def __init__(self, number: int, *, seconds: float = SECONDS, clock: float = CLOCK, nice: int = 0) -> None:
        self._seconds, self._clock, self._nice = seconds, clock, nice
        self._places: queue.PriorityQueue[tuple[int, int, Child | None]] = queue.PriorityQueue()
        self._latest = itertools.count(0, -1)  # of two that are up the one that worked last: the others may stay idle
        self._closed = False
        self._stopped, self._working = False, set[Child]()
        _all.add(self)
        for _ in range(number):
            self._put(None)

    def _put(self, child: Child | None) -> None:
        """Into the queue: those that are up go first, then those that are coming up, then places without one."""
        rank = 2 if child is None else 0 if child.up else 1
        self._places.put((rank, next(self._latest), child))

    def warm(self) -> None:
        """Start one of them; returns when it is up."""
        with suppress(queue.Empty, OSError, Died):
            child = self._places.get_nowait()[2]
            try:
                child = child or Child(self._nice)
                child.wait()
            finally:
                self._give_back(child)

    def read(
        self,
        source: StrPath | bytes,
        *,
        name: str = "image",
        frame: int | None = None,
        axis: str = "z",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        full_scale: FullScale | None = None,
        ticket: Ticket | None = None,
        quick: float | None = None,
    ) -> Image:
        """As `read_image` of a path or `read_image_bytes` of content. Raises ImageReadError.

        quick: seconds of CPU after which it is given up. Raises NotQuick then.
        """
        from PIL import Image

        from anomalyclip.io.notes import NOTES

        answer, pixels = self._ask(
            "read",
            source,
            name,
            ticket,
            {"frame": frame, "axis": axis, "max_pixels": max_pixels, "full_scale": full_scale, "quick": quick},
        )
        size = int(answer["width"]), int(answer["height"])
        if min(size) < 1 or size[0] * size[1] * 3 != len(pixels):
            raise ImageReadError(f"{printable(name)}: its decoder gave {len(pixels):,} bytes for {size}")
        image = Image.frombytes("RGB", size, pixels)
        if answer["notes"]:
            image.info[NOTES] = tuple(map(str, answer["notes"]))
        return image

    def size(
        self, source: StrPath, *, frame: int | None = None, axis: str = "z", max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> tuple[int, int]:
        """As `image_size`. Raises ImageReadError."""
        answer, _ = self._ask("size", source, "image", None, {"frame": frame, "axis": axis, "max_pixels": max_pixels})
        return int(answer["width"]), int(answer["height"])

    def mask(
        self, source: StrPath, *, frame: int | None = None, axis: str = "z", max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> NDArray[np.bool_]:
        """As `read_mask`. Raises ImageReadError."""
        options = {"frame": frame, "axis": axis, "max_pixels": max_pixels}
        return array_of(*self._ask("mask", source, "image", None, options), source)

    def levels(
        self,
        source: StrPath | bytes,
        *,
        name: str = "image",
        frame: int | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> MaskLevels:
        """As `read_mask_levels` of a path or `mask_levels_of` content. Raises ImageReadError."""
        answer, data = self._ask("levels", source, name, None, {"frame": frame, "max_pixels": max_pixels})
        levels = array_of(answer, data, name if isinstance(source, bytes) else source)
        lossy, inverted = bool(answer["lossy"]), bool(answer["white_is_zero"])
        return MaskLevels(levels, float(answer["full"]), lossy, str(answer["place"]), str(answer["unmarked"]), inverted)

    def survey(
        self,
        data: bytes,
        *,
        name: str = "image",
        axis: str = "z",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        ticket: Ticket | None = None,
        quick: float | None = None,
    ) -> Survey:
        """What a file's header says. Raises ImageReadError; NotQuick as `read` does."""
        options = {"axis": axis, "max_pixels": max_pixels, "quick": quick}
        answer, _ = self._ask("survey", data, name, ticket, options)
        return Survey(int(answer["number"]), int(answer["decoded"]), int(answer["pixels"]))

    def close(self) -> None:
        """End the idle ones now, the others when their picture is done."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                child = self._places.get_nowait()[2]
                if child is not None:
                    child.discard()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """End them, whatever they are at; who waits for them, and whoever comes, meets Ended. No lock is taken: a
        signal's handler may call it, and so may any thread."""
        self._stopped = True
        for child in tuple(self._working):
            child.kill()

    @contextmanager
    def _at_work(self, child: Child) -> Iterator[None]:
        """While this process starts or decodes. Raises Ended. One that is left in the middle of an answer is of no
        use to the next picture."""
        self._working.add(child)
        try:
            if self._stopped:
                raise Ended("the program is ending")
            yield
        except (Died, ImageReadError):
            raise
        except BaseException:
            child.kill()
            raise
        finally:
            self._working.discard(child)

    def _give_back(self, child: Child | None) -> None:
        """For the next picture. In place of one that ended another is coming up already: nobody who comes waits for its
        start while one that is up is free."""
        if child is not None and (self._closed or self._stopped or child.ended):
            child.discard()
            child = None
            if not (self._closed or self._stopped):
                with suppress(OSError):
                    child = Child(self._nice)
        self._put(child)
        if self._closed:  # meanwhile
            self.close()

    def _ask(
        self, ask: str, source: StrPath | bytes, name: str, ticket: Ticket | None, options: dict[str, Any]
    ) -> tuple[dict[str, Any], bytearray]:
        data = source if isinstance(source, bytes) else b""
        path = None if isinstance(source, bytes) else os.fsencode(source).hex()
        shown = name if isinstance(source, bytes) else printable(source)
        request = {"ask": ask, "path": path, "name": name, "seconds": self._seconds, **options}
        ticket, child = ticket or Ticket(), self._places.get()[2]
        try:
            if child is None:
                child = Child(self._nice)
            with self._at_work(child):
                child.wait()  # one that is coming up serves the next, whatever becomes of this one
                with ticket.held(child):
                    answer, pixels = child.ask(request, data, self._clock)
        except Died as death:
            if self._stopped:
                raise Ended(f"{shown}: the program is ending") from death
            if death.overrun:
                raise NotQuick from death
            reason = "the request has ended" if ticket.cancelled else death.reason(self._seconds)
            raise DecoderDied(f"{shown}: {reason}") from death
        finally:
            self._give_back(child)
        if answer.get("overrun"):
            raise NotQuick
        if "error" in answer:
            raise ImageReadError(str(answer["error"]))
        return answer, pixels


_all: weakref.WeakSet[Decoders] = weakref.WeakSet()


def stop_all() -> None:
    """`Decoders.stop` of all that there are in this process: it is to end, and waits for no picture."""
    for decoders in tuple(_all):
        decoders.stop()


def stopped() -> bool:
    """Whether any of them were."""
    return any(decoders.stopped for decoders in tuple(_all))
