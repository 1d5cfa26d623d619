"""How much memory the pictures of all requests may take together, and the waiting for it.

Every picture says from its checked header what reading and scoring it takes (`cost_of`) and holds that much from before
it is decoded until its row is made; what does not fit waits in order, what never fits is refused. The process that
decodes is held to its header's account by the system, so no upload takes more than it said. Used on the event loop's
thread only.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Survey
from anomalyclip.serve.config import Limits

_IDLE = 160 << 20  # bytes of a process that decodes and has nothing to do
_USED = 0.8  # of what is left: heaps have holes
_LEAST = 128 << 20
_PIXEL = 7 + 12  # bytes of a pixel with us: RGB as it comes and as Pillow keeps it; its map, regions and their labels
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def cost_of(survey: Survey, size: int) -> int:
    """Most bytes that one picture of a file of `size` bytes takes, in both processes together."""
    return survey.decoded + _PIXEL * survey.pixels + 2 * size


def room_for(limits: Limits, processes: int) -> int:
    """Bytes for pictures: of `limits.memory`, else of what the container or the machine has, less what stands already.

    processes: that decode.
    """
    whole = limits.memory or _whole()
    fixed = _resident() + limits.bytes_in_flight + limits.answer_bytes + processes * _IDLE
    return max(_LEAST, int((whole - fixed) * _USED))


class Ledger:
    """`async with hold(bytes)`: first come, first served.

    Attributes:
        room: bytes in all. held: bytes that are taken.
    """

    def __init__(self, room: int) -> None:
        self.room, self.held = room, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Raises ImageReadError where there will never be so much."""
        if size > self.room:
            raise ImageReadError(
                f"image: reading and scoring it takes {size / 1e6:,.0f} MB, the server has {self.room / 1e6:,.0f} MB "
                "for pictures; scale it down, or save it with fewer bits"
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._let_in()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self.held -= size
            else:
                self._waiting = deque(one for one in self._waiting if one[1] is not turn)
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self.held + self._waiting[0][0] <= self.room):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self.held += size
                turn.set_result(None)


def _whole() -> int:
    """Bytes that this process may take: the container's limit, or what the machine has left, whichever is less."""
    found = [_resident() + _meminfo("MemAvailable")]
    for name in _CGROUPS:
        with suppress(OSError, ValueError):
            found.append(int(Path(name).read_text("ascii")))
    return min(size for size in found if size > 0)


def _meminfo(name: str) -> int:
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 << 30


def _resident() -> int:
    with suppress(OSError, ValueError, IndexError, AttributeError):
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 512 << 20
