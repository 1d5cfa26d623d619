"""One HTTP GET, done carefully, with the standard library alone.

urllib honours the proxy variables (``https_proxy``, ``no_proxy``) and the system's certificates (``SSL_CERT_FILE``);
no HTTP client is a declared dependency of this package (huggingface-hub changed its own from requests to httpx).
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import IO, Any

from anomalyclip.errors import HubError
from anomalyclip.version import __version__

MIRROR_VARIABLE = "ANOMALYCLIP_MIRROR"
CONNECT_TIMEOUT = 6.0  # seconds; a firewall that drops packets must not hold a user for minutes
READ_TIMEOUT = 30.0  # seconds without a single byte


class UnreachableError(HubError):
    """No connection at all: no network, an unknown host, a refused connection, a certificate that does not hold."""


class StatusError(HubError):
    """The server answered with an error status.

    Attributes:
        status: HTTP status code.
        retry_after: seconds the server asks us to wait; ``None`` if it does not say.
    """

    def __init__(self, message: str, status: int, retry_after: float | None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def mirrored(url: str) -> str:
    """``url`` with scheme and host replaced by ``ANOMALYCLIP_MIRROR``, if set; the whole path is kept.

    >>> import os; os.environ["ANOMALYCLIP_MIRROR"] = "https://files.example/ai/"
    >>> mirrored("https://openaipublic.azureedge.net/clip/models/40d3/ViT-B-32.pt")
    'https://files.example/ai/clip/models/40d3/ViT-B-32.pt'
    >>> del os.environ["ANOMALYCLIP_MIRROR"]

    Raises:
        HubError: the variable holds no http(s) address.
    """
    base = os.environ.get(MIRROR_VARIABLE, "").strip()
    if not base:
        return url
    parts = urllib.parse.urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HubError(f"{MIRROR_VARIABLE} is {base!r}; expected an address such as https://files.example/models")
    return base.rstrip("/") + urllib.parse.urlsplit(url).path


def get(url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """Open ``url`` for reading, following safe redirects.

    Raises:
        UnreachableError: no connection.
        StatusError: any status but 2xx.
        HubError: a redirect to where we do not follow, or not an http(s) address.
    """
    try:
        request = urllib.request.Request(url, headers=_HEADERS | (headers or {}))
        # Annotated: the opener holds http handlers only.
        response: http.client.HTTPResponse = _opener().open(request, timeout=READ_TIMEOUT)
        return response
    except urllib.error.HTTPError as error:
        with error:
            reason = http.client.responses.get(error.code, "")
            raise StatusError(
                f"{url} answered {error.code} {reason}".rstrip(), error.code, _retry_after(error.headers)
            ) from error
    except urllib.error.URLError as error:
        raise UnreachableError(f"cannot reach {_host(url)}: {_why(error.reason)}") from error
    except (http.client.InvalidURL, ValueError) as error:
        raise HubError(f"{url} is no http or https address: {error}") from error


_HEADERS = {"User-Agent": f"anomalyclip/{__version__}", "Accept-Encoding": "identity"}


class _Http(http.client.HTTPConnection):
    """A short time to connect, a longer one between bytes."""

    def connect(self) -> None:
        reading, self.timeout = self.timeout, CONNECT_TIMEOUT
        super().connect()
        self.sock.settimeout(reading)


class _Https(http.client.HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        reading, self.timeout = self.timeout, CONNECT_TIMEOUT
        super().connect()
        self.sock.settimeout(reading)


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, req, context=ssl.create_default_context())


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows http to http(s) and https to https; never down to http, to files, or anywhere else."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage
    ) -> Any:
        target = urllib.parse.urljoin(req.full_url, headers.get("Location", ""))
        old, new = urllib.parse.urlsplit(req.full_url).scheme, urllib.parse.urlsplit(target).scheme
        if new != "https" and (old, new) != ("http", "http"):
            fp.close()
            raise HubError(f"{req.full_url} redirects to {target}, which is refused: only https follows {old}")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request:
        # Range and If-Range must survive; no credentials are ever among our headers.
        return urllib.request.Request(newurl, headers=dict(req.headers), origin_req_host=req.origin_req_host)


def _opener() -> urllib.request.OpenerDirector:
    """Built by hand, so that no handler for file:, ftp: or data: exists. The proxy variables are read each time."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _HttpHandler(),
        _HttpsHandler(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _retry_after(headers: Message | None) -> float | None:
    value = (headers.get("Retry-After") or "").strip() if headers is not None else ""
    if value.isdigit():
        return float(value)
    if not value:
        return None
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc or url


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate does not hold ({reason.verify_message}); behind a company proxy set SSL_CERT_FILE"
    if isinstance(reason, socket.gaierror):
        return "its name does not resolve (no network, or a proxy is needed: set https_proxy)"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return str(getattr(reason, "strerror", None) or reason)
