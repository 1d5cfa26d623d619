"""The outermost layer: identity, limits, the log line and the counts of every exchange."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from contextlib import AbstractContextManager, nullcontext
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anomalyclip.io.names import printable
from anomalyclip.serve.admission import ANSWER, Admission
from anomalyclip.serve.body import Incoming, Outgoing, too_large
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.foreign import refuse_foreign
from anomalyclip.serve.metrics import Metrics
from anomalyclip.serve.refusals import Refused, error_answer

logger = logging.getLogger("anomalyclip.serve")

_GUARDED = "/v1/"
_WORK = frozenset(
    {"/v1/detect", "/v1/calibrate", "/v1/profiles", "/v1/part", "/v1/report"}
)  # hold a place while they are carried out
_OF_PROFILES = ("/corrections", "/self-test")  # so do those of a profile
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
_GONE = 499  # what proxies log for a client that left
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def _given_twice(query: bytes) -> str | None:
    """The first option of an address that is there twice; all take one value, and the last would count."""
    names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    return next((name for at, name in enumerate(names) if name in names[:at]), None) if len(names) > 1 else None


class Guard:
    """ASGI middleware; see the module. `draining()` says whether the server is going down."""

    def __init__(self, app: ASGIApp, config: ServeConfig, admission: Admission, metrics: Metrics) -> None:
        self.app, self.config, self.admission, self.metrics = app, config, admission, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.monotonic()
        request_id = secrets.token_hex(8)
        incoming = Incoming(scope, receive, self.admission)
        outgoing = Outgoing(_with_headers(send, request_id), incoming, scope["app"].state.service.draining)
        try:
            await self._exchange(scope, incoming, outgoing, request_id)
        finally:
            self.admission.release(incoming.held)
            self.admission.answered(scope.get(ANSWER, 0))
            self._record(scope, incoming, outgoing, request_id, time.monotonic() - start)

    async def _exchange(self, scope: Scope, incoming: Incoming, outgoing: Outgoing, request_id: str) -> None:
        try:
            self._check(scope, incoming)
            with self._place(scope):
                await self.app(scope, incoming.receive, outgoing.send)
        except ClientDisconnect:
            incoming.gone = True
        except Refused as refused:
            self.metrics.refused.labels(refused.kind).inc()
            await refused.answer()(scope, incoming.receive, outgoing.send)
        except Exception:
            logger.exception("request failed", extra={"id": request_id})
            if outgoing.status is not None:
                raise
            answer = error_answer("failed", f"the server failed on this request; its log says more under {request_id}")
            await answer(scope, incoming.receive, outgoing.send)

    def _check(self, scope: Scope, incoming: Incoming) -> None:
        headers = Headers(scope=scope)
        refuse_foreign(scope["method"], headers, self.config.hosts)
        if "transfer-encoding" in headers and "content-length" in headers:  # a proxy may have believed the other one
            incoming.complete = False
            raise Refused("malformed", "the request tells its length twice; send Content-Length or chunks, not both")
        if (packed := headers.get("content-encoding", "identity").strip().lower()) not in ("", "identity"):
            raise Refused("media_type", f"the body is packed ({printable(packed[:40])}); send it as it is")
        if scope["path"].startswith(_GUARDED) and not self._knows(headers):
            given = "authorization" in headers or "x-api-key" in headers
            words = "send the server's API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise Refused(
                "unauthorized",
                f"the key that was sent is not this server's; {words}" if given else words,
                www_authenticate="Bearer",
            )
        if scope["path"].startswith(_GUARDED) and (twice := _given_twice(scope["query_string"])):
            raise Refused("invalid", f"{printable(twice[:100])} is given twice in the address; give it once")
        if incoming.declared > self.config.limits.max_bytes:
            raise too_large(self.config.limits.max_bytes)

    def _knows(self, headers: Headers) -> bool:
        if self.config.api_key is None:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return hmac.compare_digest(given.encode("latin-1", "replace"), self.config.api_key.encode("ascii"))

    def _place(self, scope: Scope) -> AbstractContextManager[None]:
        path = scope["path"]
        working = scope["method"] == "POST" and (path in _WORK or path.endswith(_OF_PROFILES))
        return self.admission.request() if working else nullcontext()

    def _record(self, scope: Scope, incoming: Incoming, outgoing: Outgoing, request_id: str, seconds: float) -> None:
        status = outgoing.status or (_GONE if incoming.gone else 500)
        refused_early = scope["path"] if scope["path"] in _WORK else "other"  # no route was looked for
        route = getattr(scope.get("route"), "path", None) or refused_early
        method = scope["method"] if scope["method"] in _METHODS else "other"  # clients may send any word
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        logger.info(
            "request",
            extra={
                "id": request_id,
                "client": (scope.get("client") or ("",))[0],
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "bytes_in": incoming.size,
                "bytes_out": outgoing.size,
            },
        )


def _with_headers(send: Send, request_id: str) -> Send:
    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = request_id
        await send(message)

    return forward
