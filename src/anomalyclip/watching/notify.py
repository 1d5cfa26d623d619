"""The courier: a thread per receiver that takes messages from the journal and tries until each has arrived.

At least once: a message leaves the journal after the receiver took it, so a kill in between delivers it twice, under
the same event id. Scoring never waits for it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from anomalyclip.errors import OutputError
from anomalyclip.watching.deliver import DeliveryError, Receiver
from anomalyclip.watching.queue import Delivery, DeliveryQueue

_LONGEST_ASKED = 3600.0  # seconds; whatever a receiver's Retry-After says
_LONGEST_SLEEP = 60.0
_STEP = 1.0  # seconds by which a clock that runs true may seem to go back


@dataclass(frozen=True)
class Patience:
    """How long to try: waits of `first` seconds, doubled to `longest` (with up to half added at random, so that many
    watchers do not come back together), until `attempts` were made. No clock has a say: one may be set by years."""

    first: float = 1.0
    longest: float = 300.0
    attempts: int | None = None

    def wait(self, attempts: int) -> float:
        """Seconds to wait after so many failed attempts."""
        return min(self.longest, self.first * 2.0 ** min(attempts - 1, 30)) * random.uniform(1, 1.5)

    def over(self, attempts: int) -> bool:
        return self.attempts is not None and attempts >= self.attempts


#: A receiver that is away for a weekend still gets everything: so many waits of five minutes and more are a week.
WEBHOOK_PATIENCE = Patience(attempts=2016)
#: A command that fails five times has a fault that waiting does not mend.
COMMAND_PATIENCE = Patience(attempts=5, longest=60)


class Courier:
    """Serves one channel of the queue from a thread of its own, from `start` to `close`.

    tell: gets one line for people when a message fails or is given up, and when the receiver answers again.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        channel: str,
        receiver: Receiver,
        patience: Patience,
        tell: Callable[[str], None],
    ) -> None:
        self.channel = channel
        self._queue, self._receiver, self._patience, self._tell = queue, receiver, patience, tell
        self._change = threading.Condition()
        self._stopping = False
        self._away = False
        self._attempts = 0
        self._clock = _clock()
        self._thread = threading.Thread(target=self._run, name=f"anomalyclip-{channel}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was queued."""
        with self._change:
            self._change.notify_all()

    def drain(self, stop: threading.Event) -> None:
        """Wait until every message was delivered or failed at least once, or one more attempt found the receiver away.

        Were one that is away tried for each, with seconds for an answer, the first would be due again before the last.
        """
        began = self._attempts
        while not stop.is_set() and self._thread.is_alive() and not (self._away and self._attempts > began):
            due = self._queue.next_due(self.channel)
            if due is None or due > time.time():
                return
            stop.wait(0.02)

    def count(self) -> tuple[int, int]:
        """(messages that wait, messages that were given up)."""
        return self._queue.count(self.channel)

    def close(self, grace: float) -> None:
        """Finish the attempt under way, for at most `grace` seconds; what waits stays in the journal."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(grace)

    def _run(self) -> None:
        try:
            # What an earlier run noted as due may lie in the future of a clock that was set back since.
            self._queue.hurry(self.channel, time.time())
            while not self._stopping:
                self._follow_clock()
                delivery = self._queue.due(self.channel, time.time())
                if delivery is None:
                    self._sleep()
                else:
                    self._attempt(delivery)
        except OutputError as error:  # the journal is gone; the loop meets the same and ends the run
            self._tell(f"{self.channel}: {error}")

    def _sleep(self) -> None:
        with self._change:
            if self._stopping:
                return
            due = self._queue.next_due(self.channel)
            # A clock that is set back while we sleep is noticed within a minute.
            self._change.wait(_LONGEST_SLEEP if due is None else min(_LONGEST_SLEEP, max(0.0, due - time.time())))

    def _follow_clock(self) -> None:
        """What is due stays due after as many seconds as before, where the clock was set back; forward it is due."""
        step, self._clock = _clock() - self._clock, _clock()
        if step < -_STEP:
            self._queue.move(self.channel, step)

    def _attempt(self, delivery: Delivery) -> None:
        try:
            self._receiver(delivery.message)
        except DeliveryError as error:
            self._failed(delivery, error)
            self._attempts += 1
            return
        self._queue.delivered(delivery)
        if self._away:
            self._away = False
            self._queue.hurry(self.channel, time.time())
            self._tell(f"{self.channel}: answers again")

    def _failed(self, delivery: Delivery, error: DeliveryError) -> None:
        now, attempts = time.time(), delivery.attempts + 1
        if self._patience.over(attempts):
            self._queue.failed(delivery, None, str(error))
            self._tell(f"{self.channel}: gave up on {delivery.message.event} after {attempts} attempts: {error}")
            return
        wait = max(self._patience.wait(attempts), min(error.after or 0.0, _LONGEST_ASKED))
        self._queue.failed(delivery, now + wait, str(error))
        if not self._away:  # once, not at every attempt of a long night
            self._tell(f"{self.channel}: {error}; it will be tried again, scoring goes on")
        self._away = self._away or error.away


def _clock() -> float:
    """How far the clock on the wall is ahead of the one that nobody sets, in seconds."""
    return time.time() - time.monotonic()
