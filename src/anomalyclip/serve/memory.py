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
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Survey
from anomalyclip.serve.config import Limits

_IDLE = 160 << 20  # bytes of a process that decodes and has nothing to do
_USED = 0.8  # of what is left: heaps have holes
_LEAST = 128 << 20
_SMALL = 64 << 20  # a picture that a part of the room is kept for
_KEPT = 8  # that part is an eighth
_OF_PROFILES = 6  # and a sixth of everything is for what clients' profiles remember
_PIXEL = 7 + 12  # bytes of a pixel with us: RGB as it comes and as Pillow keeps it; its map, regions and their labels
_Line = deque[tuple[int, "asyncio.Future[None]"]]


def cost_of(survey: Survey, size: int) -> int:
    """Most bytes that one picture of a file of `size` bytes takes, in both processes together."""
    return survey.decoded + _PIXEL * survey.pixels + 2 * size


@dataclass(frozen=True)
class Rooms:
    """Bytes that uploads may take. pictures: while they are read and scored; profiles: what is kept of normal ones."""

    pictures: int
    profiles: int


def rooms_for(limits: Limits, processes: int) -> Rooms:
    """Of `limits.memory`, else of what the container or the machine has, less what stands already.

    processes: that decode.
    """
    whole = limits.memory or _whole()
    profiles = max(_LEAST, whole // _OF_PROFILES)
    fixed = _resident() + limits.bytes_in_flight + limits.answer_bytes + processes * _IDLE + profiles
    return Rooms(max(_LEAST, int((whole - fixed) * _USED)), profiles)


class Ledger:
    """`async with hold(bytes)`: first come, first served, in two lines.

    A part of the room is kept for small pictures, so that they need not wait for large ones; they take the rest too
    while no large one waits for it.

    Attributes:
        room: bytes in all. most: that one picture may take. held: bytes that are taken.
    """

    def __init__(self, room: int) -> None:
        self.room, self.held = room, 0
        self.most = room - room // _KEPT
        self._small = min(_SMALL, room // (2 * _KEPT))
        self._held_small = 0
        self._waiting: tuple[_Line, _Line] = deque(), deque()  # of large pictures, of small ones

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Raises ImageReadError where there will never be so much."""
        with self.share(size) as share:
            await share.take()
            yield

    @contextmanager
    def share(self, size: int) -> Iterator[Share]:
        """What may be taken, and given back meanwhile; the end of the block gives it back. Raises as `hold` does."""
        if size > self.most:
            raise ImageReadError(
                f"image: reading and scoring it takes {size / 1e6:,.0f} MB, the server has {self.most / 1e6:,.0f} MB "
                "for pictures; scale it down, or save it with fewer bits"
            )
        share = Share(self, size)
        try:
            yield share
        finally:
            share.give_back()

    async def take(self, size: int, *, small: bool) -> None:
        """In the line of the small ones, or of the large."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._waiting[small]
        line.append((size, turn))
        self._let_in()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give_back(size, small=small)
            else:
                with suppress(ValueError):
                    line.remove((size, turn))
                self._let_in()
            raise

    def give_back(self, size: int, *, small: bool) -> None:
        """What was taken."""
        self.held -= size
        self._held_small -= size * small
        self._let_in()

    def is_small(self, size: int) -> bool:
        """Whether a part of the room is kept for such pictures."""
        return size <= self._small

    def _let_in(self) -> None:
        large, small = self._waiting
        while small and self._room_for_small(small[0][0], others=bool(large)):
            self._held_small += self._enter(small)
        while large and self.held + large[0][0] <= self.room - max(0, self.room - self.most - self._held_small):
            self._enter(large)

    def _room_for_small(self, size: int, *, others: bool) -> bool:
        """others: whether large ones wait, too; then there is only what is kept for the small ones."""
        if others:
            return self._held_small + size <= self.room - self.most and self.held + size <= self.room
        return self.held + size <= self.room

    def _enter(self, line: _Line) -> int:
        """The first of a line; gives the bytes that it holds from now on."""
        size, turn = line.popleft()
        if turn.done():  # its request has ended
            return 0
        self.held += size
        turn.set_result(None)
        return size


class Share:
    """The bytes of one picture, see `Ledger.share`."""

    def __init__(self, ledger: Ledger, size: int) -> None:
        self._ledger, self._size = ledger, size
        self._small: bool | None = None  # the line in which it was taken; None while it is not

    async def take(self, *, aside: bool = False) -> None:
        """aside: its work is much, so that it has no part in what is kept for small ones, whatever its size."""
        small = not aside and self._ledger.is_small(self._size)
        await self._ledger.take(self._size, small=small)
        self._small = small

    def give_back(self) -> None:
        """What was taken, if it was."""
        if self._small is not None:
            self._ledger.give_back(self._size, small=self._small)
            self._small = None


def _whole() -> int:
    """Bytes that this process may take: the container's limit, or what the machine has left, whichever is less."""
    found = [_resident() + _meminfo("MemAvailable")]
    for path in _limits():
        with suppress(OSError, ValueError):  # "max" is no number
            found.append(int(path.read_text("ascii")))
    return min(size for size in found if size > 0)


def _limits() -> Iterator[Path]:
    """Files that say how much the control groups of this process may take: its own ones, and those above them."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
            _, kinds, place = line.split(":", 2)
            if kinds in ("", "memory"):
                name = "memory.limit_in_bytes" if kinds else "memory.max"
                home = Path("/sys/fs/cgroup", kinds)
                for folder in (Path(place), *Path(place).parents):
                    yield home / folder.relative_to("/") / name


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
