"""Clocks that step: a device that wakes up in 1970 and is set by NTP, and one that is set back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anomalyclip.watching import notify
from anomalyclip.watching.database import Database
from anomalyclip.watching.deliver import DeliveryError
from anomalyclip.watching.queue import DeliveryQueue, Message

YEARS = 56 * 365 * 86400.0


class Clock:
    """`time` as `notify` sees it: the wall's clock is off by so many seconds, the other one runs on."""

    def __init__(self) -> None:
        self.off = 0.0

    def time(self) -> float:
        return time.time() + self.off

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stepping = Clock()
    monkeypatch.setattr(notify, "time", stepping)
    monkeypatch.setattr(notify, "_LONGEST_SLEEP", 0.05)
    return stepping


def delivered(tmp_path: Path, clock: Clock, *, first: float, then: float, fails: int, step_while: bool) -> bool:
    """Whether a message that was queued at one time arrives within seconds, the clock being set to another."""
    database = Database(tmp_path)
    queue, calls = DeliveryQueue(database), []

    def receiver(message: Message) -> None:
        calls.append(message.event)
        if len(calls) <= fails:
            raise DeliveryError("HTTP 503", away=True)

    clock.off = first
    queue.put([Message("webhook", "E1", b"{}")], clock.time())
    if not step_while:
        clock.off = then
    patience = notify.Patience(first=0.2, longest=300.0, attempts=notify.WEBHOOK_PATIENCE.attempts)
    courier = notify.Courier(queue, "webhook", receiver, patience, lambda line: None)
    courier.start()
    until(lambda: len(calls) >= min(fails, 1))
    clock.off = then
    done = until(lambda: len(calls) == fails + 1 and queue.count("webhook") == (0, 0))
    courier.close(5)
    database.close()
    return done


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("fails", [0, 1, 3])
@pytest.mark.parametrize("step_while", [False, True])
@pytest.mark.parametrize(("first", "then"), [(0.0, 0.0), (-YEARS, 0.0), (0.0, -3600.0), (0.0, -YEARS)])
def test_clocks(tmp_path, clock, first, then, fails, step_while):
    """None is given up because years have passed, none waits for a time that will not come."""
    assert delivered(tmp_path, clock, first=first, then=then, fails=fails, step_while=step_while)
