"""The courier: at least once, with patience, and without holding up anybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from anomalyclip.watching.database import Database
from anomalyclip.watching.deliver import DeliveryError
from anomalyclip.watching.notify import WEBHOOK_PATIENCE, Courier, Patience
from anomalyclip.watching.queue import DeliveryQueue, Message

SHORT = Patience(first=0.01, longest=0.05)
Until = Callable[[Callable[[], object]], None]


class Receiver:
    """Fails while `error` is set; remembers whom it was told of."""

    def __init__(self) -> None:
        self.error: DeliveryError | None = None
        self.attempts: list[str] = []
        self.taken: list[str] = []

    def __call__(self, message: Message) -> None:
        self.attempts.append(message.event)
        if self.error is not None:
            raise self.error
        self.taken.append(message.event)


@pytest.fixture
def queue(database: Database) -> DeliveryQueue:
    return DeliveryQueue(database)


@pytest.fixture
def start(queue: DeliveryQueue) -> Iterator[Callable[..., tuple[Courier, list[str]]]]:
    """start(receiver, patience) gives a running courier and what it tells."""
    running: list[Courier] = []

    def make(receiver: Callable[[Message], None], patience: Patience = SHORT) -> tuple[Courier, list[str]]:
        told: list[str] = []
        running.append(Courier(queue, "webhook", receiver, patience, told.append))
        running[-1].start()
        return running[-1], told

    yield make
    for courier in running:
        courier.close(60)


def _put(queue: DeliveryQueue, *events: str) -> None:
    queue.put([Message("webhook", event, b"{}") for event in events], time.time())


def test_a_receiver_that_comes_back_gets_everything_in_order(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]], until: Until
) -> None:
    receiver = Receiver()
    receiver.error = DeliveryError("refused", away=True)
    _put(queue, "a", "b")
    courier, told = start(receiver)
    _put(queue, "c")
    courier.wake()
    until(lambda: len(receiver.attempts) > 9)
    assert set(receiver.attempts) == {"a", "b", "c"}
    assert receiver.taken == []
    assert queue.count("webhook") == (3, 0)
    receiver.error = None
    until(lambda: queue.count("webhook") == (0, 0))
    assert sorted(receiver.taken) == ["a", "b", "c"]
    until(lambda: len(told) == 2)
    assert told == ["webhook: refused; it will be tried again, scoring goes on", "webhook: answers again"]


def test_what_waits_long_is_sent_at_once_when_the_receiver_answers(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]], until: Until
) -> None:
    receiver = Receiver()
    receiver.error = DeliveryError("HTTP 503", away=True, after=3000)
    _put(queue, "a", "b")
    courier, _ = start(receiver)
    until(lambda: len(receiver.attempts) == 2)
    receiver.error = None
    _put(queue, "c")
    courier.wake()
    until(lambda: queue.count("webhook") == (0, 0))
    assert receiver.taken == ["c", "a", "b"]


def test_what_is_refused_for_good_is_given_up_and_stays_on_record(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]], until: Until
) -> None:
    receiver = Receiver()
    receiver.error = DeliveryError("ended with code 1")
    _put(queue, "a")
    courier, told = start(receiver, Patience(first=0.01, longest=0.02, attempts=3))
    until(lambda: courier.count() == (0, 1))
    assert receiver.attempts == ["a"] * 3
    until(lambda: any("gave up on a after 3 attempts: ended with code 1" in line for line in told))
    receiver.error = None
    _put(queue, "b")
    courier.wake()
    until(lambda: receiver.taken == ["b"])


def test_a_weekend_is_not_the_end_of_patience() -> None:
    patience = Patience(first=1, longest=300)
    assert not patience.over(10**6)
    assert sum(300 for n in range(2016) if not WEBHOOK_PATIENCE.over(n)) >= 7 * 86400
    waits = [patience.wait(n) for n in range(1, 2000)]
    assert 1 <= waits[0] <= 1.5
    assert 2 <= waits[1] <= 3
    assert max(waits) <= 450


def test_a_courier_that_hangs_does_not_hold_up_the_end(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]], until: Until
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang(message: Message) -> None:
        entered.set()
        leave.wait(60)

    _put(queue, "a")
    courier, _ = start(hang)
    until(entered.is_set)
    courier.close(0.01)
    assert queue.count("webhook") == (1, 0), "it was not taken: the next run sends it again"
    leave.set()


def test_draining_waits_for_one_attempt_each(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]]
) -> None:
    receiver = Receiver()
    receiver.error = DeliveryError("HTTP 413")  # of this message
    _put(queue, *"abcde")
    courier, _ = start(receiver, Patience(first=1000, longest=1000))
    courier.drain(threading.Event())
    assert sorted(receiver.attempts) == list("abcde")
    assert courier.count() == (5, 0)


def test_draining_does_not_wait_for_a_receiver_that_is_away(
    queue: DeliveryQueue, start: Callable[..., tuple[Courier, list[str]]]
) -> None:
    """Each attempt takes longer than it is until the first message is due again: this would go on for ever."""
    asked: list[str] = []

    def silent(message: Message) -> None:
        asked.append(message.event)
        time.sleep(0.05)
        raise DeliveryError("no answer", away=True)

    _put(queue, *"abcde")
    courier, _ = start(silent, Patience(first=0.01, longest=0.01))
    courier.drain(threading.Event())
    assert len(asked) <= 2, "one attempt, and one that may have begun meanwhile"
    assert courier.count() == (5, 0)
