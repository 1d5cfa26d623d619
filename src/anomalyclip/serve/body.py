"""Both directions of one exchange, watched: what comes in is counted and timed, what goes out is cut into pieces."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from anomalyclip.serve.admission import Admission
from anomalyclip.serve.refusals import Refused

_PIECE = 2**18
_DISCARD_SECONDS = 5.0
_COPIES = {"application/json": 4}  # bytes that come in, whole; as text; what they say; and one of them decoded


class Incoming:
    """A request's body. `receive` raises Refused as soon as it is too large, too slow or too much beside others."""

    def __init__(self, scope: Scope, receive: Receive, admission: Admission) -> None:
        headers = Headers(scope=scope)
        self._receive, self._admission, self._limits = receive, admission, admission.limits
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._copies = _COPIES.get(media_type, 1)
        self._started: float | None = None
        self._pointless = "expect" in headers  # waiting for the rest of a body that will not come
        self.held = self.size = 0
        self.declared = int(headers.get("content-length") or 0)
        self.complete = not self.declared and "transfer-encoding" not in headers
        self.gone = False

    async def receive(self) -> Message:
        if self.complete:
            return await self._receive()
        message = await self._next()
        self.gone = message["type"] == "http.disconnect"
        size = len(message.get("body", b""))
        self._count(size)
        self._admission.receive(self._copies * size, self.held)
        return message

    async def discard(self) -> None:
        """Read on to the end and keep nothing: a client that is cut off while it sends may never see the answer.

        Bounded: a few seconds, and as much as a body may have. A client that waits for `100 Continue` sends nothing;
        one that was too slow has had its time.
        """
        deadline, left = time.monotonic() + _DISCARD_SECONDS, self._limits.max_bytes
        while not (self.complete or self.gone or self._pointless) and left > 0:
            try:
                message = await asyncio.wait_for(self._receive(), max(0.0, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                return
            left -= len(message.get("body", b""))
            self.gone = message["type"] == "http.disconnect"
            self.complete = not message.get("more_body", False)

    async def _next(self) -> Message:
        now = time.monotonic()
        self._started = self._started or now
        left = min(self._limits.idle_seconds, self._started + self._limits.body_seconds - now)
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left))
        except asyncio.TimeoutError:
            self._pointless = True
            raise Refused(
                "too_slow",
                f"the body did not arrive within {self._limits.body_seconds:g} s, or paused for "
                f"{self._limits.idle_seconds:g} s; send it again, or smaller",
            ) from None
        self.complete = not message.get("more_body", False)
        return message

    def _count(self, size: int) -> None:
        self.held += self._copies * size
        self.size += size
        if self.size > self._limits.max_bytes:
            self._admission.receive(self._copies * size, self.held)
            raise too_large(self._limits.max_bytes)


def too_large(limit: int) -> Refused:
    return Refused(
        "too_large",
        f"the body is larger than {limit:,} bytes; send fewer or smaller images, or raise the server's --max-bytes",
    )


class Outgoing:
    """An answer. Large ones go out in pieces, so that a client that reads slowly holds its place and no more comes in.

    An answer to a request whose body is still under way lets the rest of the body come in first.
    """

    def __init__(self, send: Send, incoming: Incoming, closing: bool) -> None:
        self._send, self._incoming, self._closing = send, incoming, closing
        self.status: int | None = None
        self.size = 0
        self._early = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._early = not self._incoming.complete
            if self._early or self._closing:
                MutableHeaders(scope=message)["connection"] = "close"
            await self._send(message)
            return
        await self._send_body(message.get("body", b""), bool(message.get("more_body", False)))

    async def _send_body(self, data: bytes, more: bool) -> None:
        self.size += len(data)
        view = memoryview(data)
        start = 0
        while start + _PIECE < len(view):
            await self._send_piece(bytes(view[start : start + _PIECE]), more=True)
            start += _PIECE
        if self._early and not more:
            await self._send_piece(bytes(view[start:]), more=True)
            await self._incoming.discard()
            await self._send_piece(b"", more=False)
        else:
            await self._send_piece(bytes(view[start:]), more=more)

    async def _send_piece(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
