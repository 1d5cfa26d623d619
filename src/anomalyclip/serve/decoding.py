"""Where uploads are decoded: in processes that can be ended, and within the memory of `memory`.

Large pictures have a process of their own, so that a few of them do not keep everybody else waiting. A request that
ends, for whatever reason, ends its processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Decoders, Survey, Ticket
from anomalyclip.io.reading import Reading
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.memory import Ledger, rooms_for

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.serve.uploads import Upload

_LARGE = 256 << 20  # bytes
_SECONDS = 3.0  # of CPU for a small picture, which takes a tenth of one
_SECONDS_LARGE = 20.0


class Decoding:
    """Reads uploads; `survey` and `read` block and may be called from several threads.

    Attributes:
        ledger: memory for pictures, held by whoever has one read.
        room_of_profiles: bytes for what is kept of normal images.
    """

    def __init__(self, config: ServeConfig) -> None:
        clock = config.limits.work_seconds
        self._small = Decoders(config.workers, seconds=_SECONDS, clock=clock)
        self._large = Decoders(1, seconds=_SECONDS_LARGE, clock=clock)
        rooms = rooms_for(config.limits, config.workers + 1)
        self.ledger, self.room_of_profiles = Ledger(rooms.pictures), rooms.profiles

    def warm(self) -> None:
        """Start a process before the first upload comes; returns when it is up."""
        self._small.warm()

    def survey(self, ticket: Ticket, reading: Reading, data: bytes) -> Survey:
        """What a file's header says. Raises ImageReadError."""
        return self._small.survey(data, axis=reading.axis, max_pixels=reading.limit, ticket=ticket)

    def read(self, ticket: Ticket, reading: Reading, upload: Upload, *, most: int | None = None) -> Image:
        """The RGB picture. Raises ImageReadError, also for one that takes more than `most` bytes; the message does not
        repeat the name."""
        if most is not None and upload.cost > most:
            raise ImageReadError(
                f"image: reading it takes {upload.cost / 1e6:,.0f} MB, the server has {most / 1e6:,.0f} MB for each "
                "normal picture; scale it down, or save it with fewer bits"
            )
        decoders = self._large if upload.cost > _LARGE else self._small
        image = decoders.read(upload.read(), frame=upload.frame, ticket=ticket, **reading.keywords())
        return reading.agreed(image, "image")

    @contextmanager
    def ending(self, ticket: Ticket) -> Iterator[None]:
        """What is under way for the ticket ends with the block, however it is left."""
        try:
            yield
        finally:
            ticket.cancel()

    def close(self) -> None:
        self._small.close()
        self._large.close()
