"""A clock that steps while an alarm waits: a device that wakes up in 1970 and is set by NTP, one that is set back. A
message's patience was over at once, as if years had passed, or its next try was years away.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from anomalyclip.watching import notify
from anomalyclip.watching.database import Database
from anomalyclip.watching.deliver import DeliveryError
from anomalyclip.watching.queue import DeliveryQueue, Message

YEARS = 56 * 365 * 86400.0


class Clock:
    """`time` as `notify` sees it: the wall's clock is off by so many seconds, the other one runs on."""

    def __init__(self, off: float) -> None:
        self.off = off

    def time(self) -> float:
        return time.time() + self.off

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()


def delivered(folder: Path, *, first: float, then: float, fails: int, step_while: bool) -> bool:
    """Whether a message that was queued at one time arrives within seconds, the clock being set to another.

    first, then: seconds that the clock is off. fails: tries that do. step_while: set after them, not before.
    """
    clock, calls = Clock(first), list[str]()

    def receiver(message: Message) -> None:
        calls.append(message.event)
        if len(calls) <= fails:
            raise DeliveryError("HTTP 503", away=True)

    with mock.patch.object(notify, "time", clock), mock.patch.object(notify, "_LONGEST_SLEEP", 0.05):
        database = Database(folder)
        queue = DeliveryQueue(database)
        queue.put([Message("webhook", "E1", b"{}")], clock.time())
        if not step_while:
            clock.off = then
        patience = notify.Patience(first=0.2, longest=300.0, attempts=notify.WEBHOOK_PATIENCE.attempts)
        courier = notify.Courier(queue, "webhook", receiver, patience, lambda line: None)
        courier.start()
        _until(lambda: len(calls) >= min(fails, 1))
        clock.off = then
        done = _until(lambda: len(calls) == fails + 1 and queue.count("webhook") == (0, 0))
        courier.close(5)
        database.close()
    return done


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    for before, after in ((-YEARS, 0.0), (0.0, -YEARS)):
        with tempfile.TemporaryDirectory() as place:
            print(delivered(Path(place), first=before, then=after, fails=1, step_while=True))
