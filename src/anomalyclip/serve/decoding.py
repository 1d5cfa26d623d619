"""Where uploads are decoded: in processes that can be ended, and within the memory of `memory`.

Three lanes, each with processes and threads of its own, so that none waits for another. The quick one takes everything
whose header promises little work, and gives up what takes longer than its size accounts for: such files (as a rule
hostile ones) go on in the patient lane, a process that stands back for all others. Large pictures have a third.
A request that ends, for whatever reason, ends its processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Decoders, NotQuick, Survey, Ticket
from anomalyclip.io.reading import Reading
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.memory import Ledger, rooms_for
from anomalyclip.serve.uploads import pictures_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.serve.admission import Stay
    from anomalyclip.serve.uploads import Upload

    Read = Callable[[Upload], Image]

T = TypeVar("T")

_LARGE = 256 << 20  # bytes
_SECONDS = 3.0  # of CPU for a small picture, which takes a tenth of one
_SECONDS_LARGE = 20.0
_QUICK, _MOST_QUICK = 0.15, 1.0  # seconds of CPU in the quick lane: at least, at most
_PACE = 1 / (80 << 20)  # and of a byte of a file, or of what decoding it takes
_BACK = 5  # how far the patient and the large lane stand back


class _Lane:
    """Processes that decode, and as many threads, in which they are waited for."""

    def __init__(self, name: str, number: int, seconds: float, clock: float, nice: int = 0) -> None:
        self.decoders = Decoders(number, seconds=seconds, clock=clock, nice=nice)
        self.threads = ThreadPoolExecutor(number, thread_name_prefix=f"anomalyclip-{name}")

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    def close(self) -> None:
        self.decoders.close()
        self.threads.shutdown(wait=True)


class Decoding:
    """Reads uploads.

    Attributes:
        ledger: memory for pictures, held by whoever has one read.
        room_of_profiles: bytes for what is kept of normal images.
    """

    def __init__(self, config: ServeConfig) -> None:
        clock = config.limits.work_seconds
        self._quick = _Lane("read", config.workers, _SECONDS, clock)
        self._patient = _Lane("patient", 1, _SECONDS, clock, _BACK)
        self._large = _Lane("large", 1, _SECONDS_LARGE, clock, _BACK)
        rooms = rooms_for(config.limits, config.workers + 2)
        self.ledger, self.room_of_profiles = Ledger(rooms.pictures), rooms.profiles

    def warm(self) -> None:
        """Start a process before the first upload comes; returns when it is up."""
        self._quick.decoders.warm()

    async def pictures(
        self, ticket: Ticket, reading: Reading, files: Sequence[Upload], most: int, frames: int | None, stay: Stay
    ) -> list[Upload]:
        """See `pictures_of`. stay: steps aside where a file's header is much work. Raises Refused (429)."""

        def work(decoders: Decoders, *, quick: bool) -> list[Upload]:
            def survey(data: bytes) -> Survey:
                limit = _quick_seconds(len(data)) if quick else None
                return decoders.survey(data, axis=reading.axis, max_pixels=reading.limit, ticket=ticket, quick=limit)

            return pictures_of(files, survey, most, frames)

        try:
            return await self._quick.run(partial(work, self._quick.decoders, quick=True))
        except NotQuick:
            with stay.aside():
                return await self._patient.run(partial(work, self._patient.decoders, quick=False))

    async def with_picture(
        self, ticket: Ticket, reading: Reading, upload: Upload, stay: Stay, work: Callable[[Read], T]
    ) -> T:
        """What `work` makes of the picture, in a thread of the lane that it takes; it may be called twice.

        Raises what `work` raises, Refused (429) where too many wait for much work already.
        """
        if upload.cost <= _LARGE:
            with suppress(NotQuick):
                return await self._quick.run(partial(work, partial(self._read_quickly, ticket, reading)))
        lane = self._large if upload.cost > _LARGE else self._patient
        with stay.aside():
            return await lane.run(partial(work, partial(self._read_by, lane.decoders, ticket, reading)))

    def read(self, ticket: Ticket, reading: Reading, upload: Upload, *, most: int | None = None) -> Image:
        """The RGB picture, however long it takes; blocks. Raises ImageReadError, also for one that takes more than
        `most` bytes; the message does not repeat the name."""
        if most is not None and upload.cost > most:
            raise ImageReadError(
                f"image: reading it takes {upload.cost / 1e6:,.0f} MB, the server has {most / 1e6:,.0f} MB for each "
                "normal picture; scale it down, or save it with fewer bits"
            )
        if upload.cost <= _LARGE:
            with suppress(NotQuick):
                return self._read_quickly(ticket, reading, upload)
        lane = self._large if upload.cost > _LARGE else self._patient
        return self._read_by(lane.decoders, ticket, reading, upload)

    def _read_quickly(self, ticket: Ticket, reading: Reading, upload: Upload) -> Image:
        """Raises NotQuick."""
        return self._read_by(self._quick.decoders, ticket, reading, upload, quick=_quick_seconds(upload.cost))

    def _read_by(
        self, decoders: Decoders, ticket: Ticket, reading: Reading, upload: Upload, *, quick: float | None = None
    ) -> Image:
        data = upload.read()
        image = decoders.read(data, frame=upload.frame, ticket=ticket, quick=quick, **reading.keywords())
        return reading.agreed(image, "image")

    @contextmanager
    def ending(self, ticket: Ticket) -> Iterator[None]:
        """What is under way for the ticket ends with the block, however it is left."""
        try:
            yield
        finally:
            ticket.cancel()

    def close(self) -> None:
        """Finish what was accepted; blocks."""
        for lane in (self._quick, self._patient, self._large):
            lane.close()


def _quick_seconds(size: int) -> float:
    """Of CPU that so many bytes, of a file or of a decoded picture, account for."""
    return min(_MOST_QUICK, _QUICK + _PACE * size)
