"""Where uploads are decoded: in processes that can be ended, and within the memory of `memory`.

Three lanes, each with processes and threads of its own, so that none waits for another. The quick one takes everything
whose header promises little work, and gives up what takes longer than its size accounts for: such files (as a rule
hostile ones) go on in the patient lane, a process that stands back for all others. Large pictures have a third.
In a lane requests take turns (`turns`), a picture at a time; what waits in one of the last two holds no memory.
A request that ends, for whatever reason, ends its processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Decoders, NotQuick, Survey, Ticket
from anomalyclip.io.reading import Reading
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.memory import Ledger, Share, rooms_for
from anomalyclip.serve.turns import Turns
from anomalyclip.serve.uploads import pictures_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.serve.admission import Stay
    from anomalyclip.serve.uploads import Upload

    Read = Callable[[Upload], Image]

T = TypeVar("T")
Made = TypeVar("Made", covariant=True)


class Work(Protocol[Made]):
    """What is done in a lane's thread. Raises NotQuick where it is to be `quick` and is not."""

    def __call__(self, decoders: Decoders, *, quick: bool) -> Made: ...


_LARGE = 256 << 20  # bytes
_SECONDS = 3.0  # of CPU for a small picture, which takes a tenth of one
_SECONDS_LARGE = 20.0
_QUICK, _MOST_QUICK = 0.15, 1.0  # seconds of CPU in the quick lane: at least, at most
_PACE = 1 / (80 << 20)  # and of a byte of a file, or of what decoding it takes
_BACK = 5  # how far the patient and the large lane stand back


class _Lane:
    """Processes that decode, and as many threads, in which they are waited for."""

    def __init__(self, name: str, number: int, seconds: float, clock: float, nice: int = 0) -> None:
        self.turns = Turns(number)
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
        return pictures_of(files, [await self._survey(ticket, reading, one, stay) for one in files], most, frames)

    async def _survey(self, ticket: Ticket, reading: Reading, upload: Upload, stay: Stay) -> Survey | None:
        def work(decoders: Decoders, *, quick: bool) -> Survey:
            data, limit = upload.read(), _quick_seconds(upload.size) if quick else None
            return decoders.survey(data, axis=reading.axis, max_pixels=reading.limit, ticket=ticket, quick=limit)

        # Here, and twice with the process that looks at it.
        with self.ledger.share(min(self.ledger.most, 3 * upload.size)) as share, suppress(ImageReadError):
            with suppress(NotQuick):
                return await self._quickly(stay, share, upload.size, work)
            return await self._slowly(self._patient, stay, share, work)
        return None

    async def with_picture(
        self, ticket: Ticket, reading: Reading, upload: Upload, stay: Stay, share: Share, work: Callable[[Read], T]
    ) -> T:
        """What `work` makes of the picture, in a thread of the lane that it takes; it may be called twice.

        share: of the memory, of `upload.cost`; it is held from before the picture is decoded.
        Raises what `work` raises, Refused (429) where too many wait for much work already.
        """

        def run(decoders: Decoders, *, quick: bool) -> T:
            limit = _quick_seconds(upload.cost) if quick else None
            if quick and upload.read in stay.costly:  # so was another picture of the file
                raise NotQuick
            return work(partial(self._read_by, decoders, ticket, reading, quick=limit))

        large = upload.cost > _LARGE
        if not large:
            try:
                return await self._quickly(stay, share, upload.cost, run)
            except NotQuick:
                stay.costly.add(upload.read)
        return await self._slowly(self._large if large else self._patient, stay, share, run)

    async def _quickly(self, stay: Stay, share: Share, size: int, work: Work[T]) -> T:
        """size: bytes that say how long it may take. Raises NotQuick."""
        await share.take()
        try:
            async with self._quick.turns.turn(stay, _quick_seconds(size)):
                return await self._quick.run(partial(work, self._quick.decoders, quick=True))
        except NotQuick:
            share.give_back()
            raise

    async def _slowly(self, lane: _Lane, stay: Stay, share: Share, work: Work[T]) -> T:
        with stay.aside():
            async with lane.turns.turn(stay):
                await share.take(aside=True)
                return await lane.run(partial(work, lane.decoders, quick=False))

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
                quick = _quick_seconds(upload.cost)
                return self._read_by(self._quick.decoders, ticket, reading, upload, quick=quick)
        lane = self._large if upload.cost > _LARGE else self._patient
        return self._read_by(lane.decoders, ticket, reading, upload)

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
