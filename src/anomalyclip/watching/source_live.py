"""A camera or a stream: the newest frame whenever the model is free, reconnected for ever.

A thread takes every frame off the device, or its buffer would hand out ever older ones; of those it keeps the newest
that is wanted. What a slow model misses is counted, not queued.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from anomalyclip.detect.inputs import InputItem
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.watching.arrival import LiveMark
from anomalyclip.watching.capture import Frame, Rate, open_capture, to_image, without_password
from anomalyclip.watching.notify import Patience

if TYPE_CHECKING:
    from PIL.Image import Image

RECONNECT = Patience(first=1, longest=30)


@dataclass(frozen=True)
class _Newest:
    frame: Frame
    when: datetime


class LiveSource:
    """A `Source` over `camera:N` or a stream's address; a row's path is the address with the time after `#`.

    tell: gets a line when the connection is lost. once: a single frame. link_local: see `open_capture`. Raises
    InputError where it cannot be opened at the start: that is more often a wrong address than a camera that will come.

    Attributes:
        missed: wanted frames that came while the model was busy.
    """

    def __init__(
        self,
        target: str,
        rate: Rate,
        tell: Callable[[str], None],
        *,
        once: bool = False,
        link_local: bool = False,
        reconnect: Patience = RECONNECT,
    ) -> None:
        self.finished = False
        self._once, self._link_local = once, link_local
        self.label = printable(without_password(target))
        self.missed = 0
        self._target, self._rate, self._tell, self._reconnect = target, rate, tell, reconnect
        self._newest: _Newest | None = None
        self._images: dict[bytes, Image] = {}
        self._arrived = threading.Condition()
        self._stop = threading.Event()
        capture = open_capture(target, link_local=link_local)
        self._thread = threading.Thread(target=self._run, args=(capture,), name="anomalyclip-camera", daemon=True)
        self._thread.start()

    def arrivals(self) -> list[InputItem]:
        """The newest frame, if there is one since the last look."""
        with self._arrived:
            newest, self._newest = self._newest, None
        self.finished = self.finished or (self._once and newest is not None)
        return [] if newest is None else [self._item(newest)]

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest is not None or stop.is_set(), seconds)

    def read(self, item: InputItem) -> Image:
        return self._images[item.key]

    def settle(self, item: InputItem) -> LiveMark:
        del self._images[item.key]
        return LiveMark()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=15)  # a read under way ends by its own time limit

    def _item(self, newest: _Newest) -> InputItem:
        key = secrets.token_bytes(16)
        self._images[key] = to_image(newest.frame)
        when = f"{newest.when:%Y-%m-%dT%H:%M:%S}.{newest.when.microsecond // 1000:03d}Z"
        return InputItem(f"{self.label}#{when}", "frame", key)

    def _run(self, capture: Any) -> None:
        attempts = 0
        while not self._stop.is_set():
            if capture is not None and self._take_frames(capture):
                attempts = 0
            if self._stop.is_set():
                break
            attempts += 1
            wait = self._reconnect.wait(attempts)
            if attempts == 1:
                self._tell(f"{self.label}: no picture any more; reconnecting")
            self._stop.wait(wait)
            capture = self._open_again()

    def _open_again(self) -> Any:
        try:
            return open_capture(self._target, link_local=self._link_local)
        except InputError:
            return None

    def _take_frames(self, capture: Any) -> bool:
        """Take frames until there are none; whether there was any."""
        count, last = 0, -float("inf")
        try:
            while not self._stop.is_set() and capture.grab():
                now = time.monotonic()
                wanted = count % self._rate.every == 0 and (self._rate.fps is None or now - last >= 1 / self._rate.fps)
                count += 1
                if wanted:
                    ok, frame = capture.retrieve()
                    if ok:
                        last = now
                        self._put(_Newest(frame, datetime.now(timezone.utc)))
        finally:
            capture.release()
        return count > 0

    def _put(self, newest: _Newest) -> None:
        with self._arrived:
            self.missed += self._newest is not None
            self._newest = newest
            self._arrived.notify_all()
