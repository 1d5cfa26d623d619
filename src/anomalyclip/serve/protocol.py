"""uvicorn's HTTP/1.1 protocol with what it lacks: clocks for headers that never end and for answers nobody reads,
places that those who ask nothing cannot hold, and our own form for what it refuses by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from anomalyclip.serve.config import Limits
from anomalyclip.serve.refusals import Refused

MOST_CONNECTIONS = 512
"""Open at once; each costs a file descriptor, of which a process has 1,024 as a rule."""


_FEW_PIECES, _PIECE = 2000, 256  # chunks of a body in any size; beyond that so many bytes each, on average


class _Connection(h11.Connection):
    """Refuses a body in crumbs: each is an event of its own, and a megabyte of them would keep all others waiting."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER)
        self._pieces = self._bytes = 0

    def next_event(self) -> Any:
        """Raises h11.RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
            return _in_origin_form(event)
        elif isinstance(event, h11.Data):
            self._pieces, self._bytes = self._pieces + 1, self._bytes + len(event.data)
            if self._pieces > _FEW_PIECES + self._bytes / _PIECE:
                raise h11.RemoteProtocolError("the chunks of the body are too small")
        return event


def _in_origin_form(asked: h11.Request) -> h11.Request:
    """`GET http://host/path`, as a proxy is asked, as `GET /path` of that host: what it names counts, not the header
    Host (RFC 9112, 3.2.2). One that names no host is left, and found nowhere."""
    scheme, there, rest = asked.target.partition(b"://")
    if not there or scheme.lower() not in (b"http", b"https"):
        return asked
    end = next((at for at, sign in enumerate(rest) if sign in b"/?"), len(rest))
    host, target = rest[:end], rest[end:]
    if not host:
        return asked
    others = [(name, value) for name, value in asked.headers if name != b"host"]
    return h11.Request(
        method=asked.method,
        target=target if target.startswith(b"/") else b"/" + target,
        headers=[(b"host", host), *others],
        http_version=asked.http_version,
    )


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    refused = Refused("unavailable", "the server has no place for another connection; come back", retry_after=1)
    refused.headers["connection"] = "close"
    await refused.answer()(scope, receive, send)


def guarded_protocol(limits: Limits) -> type[H11Protocol]:
    """A protocol class with `limits.header_seconds` and `limits.write_seconds` built in; breaking one ends the
    connection. One connection more than `MOST_CONNECTIONS` takes the place of the one that has asked nothing for
    longest; where all are being answered, it is told so (503)."""

    class GuardedProtocol(H11Protocol):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            self.conn = _Connection()

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._since = time.monotonic()
            if not self._take_a_place():
                self.app: Any = _full
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

        def send_400_response(self, msg: str) -> None:
            """In our form, whatever uvicorn's words are."""
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # it has its answer already
                self.transport.close()
                return
            words = (
                "the bytes are no HTTP/1.1 request, its headers are too long, or the chunks of its body too small; "
                "send a plain one, and in its address letters beyond ASCII as %XX (%C3%B6 is ö)"
            )
            answer = Refused("malformed", words).answer()
            headers = [*answer.raw_headers, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _take_a_place(self) -> bool:
            """One of the free ones, or that of a connection without a request; False where there is none."""
            others = [each for each in self.connections if each is not self and not each.transport.is_closing()]
            if len(others) < MOST_CONNECTIONS:
                return True
            idle = [each for each in others if getattr(each, "is_idle", False)]
            if not idle:
                return False
            oldest: Any = min(idle, key=lambda each: getattr(each, "_since", 0.0))
            oldest.transport.abort()
            return True

        @property
        def is_idle(self) -> bool:
            """Whether no request is being answered on it."""
            return self.cycle is None or self.cycle.response_complete

        def _watch_header(self) -> None:
            """The clock runs from the first byte (or the connection itself) until the headers are whole."""
            if self.is_idle:
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
