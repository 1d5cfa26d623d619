"""uvicorn's HTTP/1.1 protocol with two clocks it lacks: for headers that never end and for answers nobody reads."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from anomalyclip.serve.config import Limits


def guarded_protocol(limits: Limits) -> type[H11Protocol]:
    """A protocol class with `limits.header_seconds` and `limits.write_seconds` built in; breaking one ends the
    connection."""

    class GuardedProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._header_clock = _Clock(self.loop, limits.header_seconds, transport)
            self._write_clock = _Clock(self.loop, limits.write_seconds, transport)
            self._watch_header()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_header()

        def connection_lost(self, exc: Exception | None) -> None:
            self._header_clock.stop()
            self._write_clock.stop()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._write_clock.start()

        def resume_writing(self) -> None:
            self._write_clock.stop()
            super().resume_writing()

        def _watch_header(self) -> None:
            """The clock runs from the first byte (or the connection itself) until the headers are whole."""
            if self.cycle is None or self.cycle.response_complete:
                self._header_clock.start()
            else:
                self._header_clock.stop()

    return GuardedProtocol


class _Clock:
    """Ends a connection after some seconds, unless stopped; starting a running one changes nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, transport: asyncio.Transport) -> None:
        self._loop, self._seconds, self._transport = loop, seconds, transport
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._transport.abort)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
