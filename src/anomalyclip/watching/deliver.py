"""One attempt to tell one receiver: an HTTP POST, or a command. Neither follows a shell or a redirect."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Protocol

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.version import __version__
from anomalyclip.watching.addresses import check_address, check_host
from anomalyclip.watching.capture import bare_address
from anomalyclip.watching.queue import Message

TOKEN_VARIABLE = "ANOMALYCLIP_WEBHOOK_TOKEN"
PLACEHOLDERS = ("id", "time", "source", "path", "score", "evidence")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OUTPUT_SHOWN = 200  # characters of a failed command's last words
_BUSY = (408, 425, 429)


class DeliveryError(Exception):
    """The receiver did not take the message.

    away: it takes nothing at all for now, so that the fault is not this message's. after: seconds it asks us to wait,
    None if it does not say.
    """

    def __init__(self, reason: str, *, away: bool = False, after: float | None = None) -> None:
        super().__init__(" ".join(reason.split()))
        self.away, self.after = away, after


class Receiver(Protocol):
    """Somebody to tell."""

    def __call__(self, message: Message) -> None:
        """Tell it; returns when it has taken the message. Raises DeliveryError."""


@dataclass(frozen=True)
class Webhook:
    """POST of the payload as JSON; any 2xx answer counts as taken. timeout: seconds for connecting and for answering.

    The header `Idempotency-Key` is the event's id. A token in the environment variable ANOMALYCLIP_WEBHOOK_TOKEN is
    sent as `Authorization: Bearer`, a name and password in the address as `Authorization: Basic`; neither is shown.
    Link-local addresses are refused unless `link_local` (see `addresses`). Proxy variables and system certificates are
    honoured.
    """

    url: str = field(repr=False)
    timeout: float = 10.0
    link_local: bool = False

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            shown = bare_address(self.url)
            raise ConfigError(f"--webhook {shown!r}: expected an address such as https://factory.example/alarm")

    def __call__(self, message: Message) -> None:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.event,
            "User-Agent": f"anomalyclip/{__version__}",
        }
        parts = urllib.parse.urlsplit(self.url)
        token = os.environ.get(TOKEN_VARIABLE)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif parts.username is not None:
            given = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(given.encode()).decode('ascii')}"
        url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        request = urllib.request.Request(url, message.payload, headers, method="POST")
        late = threading.Event()
        try:
            if not self.link_local:
                check_host(parts.hostname or "", parts.port)
            with contextlib.ExitStack() as stack:
                met = functools.partial(self._meet, stack, late)
                opener = urllib.request.build_opener(_NoRedirects, _HTTP(met), _HTTPS(met))
                opener.open(request, timeout=self.timeout).close()  # the status is the answer; what follows may not end
        except urllib.error.HTTPError as error:
            with error:
                away = error.code >= 500 or error.code in _BUSY
                after = _seconds(error.headers.get("Retry-After"))
                raise DeliveryError(f"HTTP {error.code} {error.reason}", away=away, after=after) from error
        except (OSError, HTTPException, InputError) as error:
            reason = "timed out" if late.is_set() else str(getattr(error, "reason", error)) or type(error).__name__
            raise DeliveryError(reason.replace(self.url, bare_address(self.url)), away=True) from error

    def _meet(self, stack: contextlib.ExitStack, late: threading.Event, connected: socket.socket) -> None:
        """Look at whom it reached, for the name may have led elsewhere when it was checked; and end it in time, which
        `late` then says, for a socket's own timeout begins anew with each byte that drips in."""
        if not self.link_local:
            _check_peer(connected)
        timer = threading.Timer(self.timeout, _end, [connected, late])
        timer.daemon = True
        timer.start()
        stack.callback(timer.cancel)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its payload: it counts as a failure that names the status."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


Met = Callable[[socket.socket], None]
"""Told of a socket that is connected, before anything is said."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, *args: Any, met: Met, **options: Any) -> None:
        super().__init__(*args, **options)
        self._met = met

    def connect(self) -> None:
        super().connect()
        self._met(self.sock)


class _TLSConnection(http.client.HTTPSConnection):
    def __init__(self, *args: Any, met: Met, **options: Any) -> None:
        super().__init__(*args, **options)
        self._met = met

    def connect(self) -> None:
        super().connect()
        self._met(self.sock)


class _HTTP(urllib.request.HTTPHandler):
    def __init__(self, met: Met) -> None:
        super().__init__()
        self._met = met

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Connection, met=self._met), req)


class _HTTPS(urllib.request.HTTPSHandler):
    def __init__(self, met: Met) -> None:
        super().__init__()
        self._met = met

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_TLSConnection, met=self._met), req)


def _end(connected: socket.socket, late: threading.Event) -> None:
    """Whoever reads from it finds its end."""
    late.set()
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _check_peer(connected: socket.socket) -> None:
    try:
        check_address(str(connected.getpeername()[0]))
    except InputError:
        connected.close()
        raise


@dataclass(frozen=True)
class Command:
    """Runs a program, without a shell; exit code 0 counts as taken. timeout: seconds until it is ended.

    template: program and arguments, in which `{path}` and the like (PLACEHOLDERS) are filled in, each value staying
    within its argument. The same values are in the environment as ANOMALYCLIP_PATH and so on; the payload is on stdin.
    """

    template: tuple[str, ...]
    timeout: float = 60.0

    @classmethod
    def parse(cls, line: str, timeout: float = 60.0) -> Command:
        """Split a line as a shell would, quotes included. Raises ConfigError."""
        try:
            template = tuple(shlex.split(line, posix=os.name != "nt"))
        except ValueError as error:
            raise ConfigError(f"--command {line!r}: {error}; balance the quotes") from error
        unknown = {name for part in template for name in _PLACEHOLDER.findall(part)} - set(PLACEHOLDERS)
        if not template or unknown:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            what = f"unknown placeholder {{{min(unknown)}}}" if unknown else "no program is named"
            raise ConfigError(f"--command {line!r}: {what}; expected a program, its arguments, and of these {known}")
        return cls(template, timeout)

    def __call__(self, message: Message) -> None:
        values = _values(json.loads(message.payload))
        args = [_PLACEHOLDER.sub(lambda found: values[found[1]], part) for part in self.template]
        variables = {f"ANOMALYCLIP_{name.upper()}": value for name, value in values.items()}
        try:
            done = subprocess.run(
                args,
                input=message.payload,
                env={**os.environ, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeliveryError(f"{args[0]} did not end within {self.timeout:g} s") from None
        except (OSError, ValueError) as error:  # ValueError: NUL in an argument
            raise DeliveryError(f"{args[0]}: {getattr(error, 'strerror', None) or error}") from error
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip()[-_OUTPUT_SHOWN:]
            raise DeliveryError(f"{args[0]} ended with code {done.returncode}{f': {said}' if said else ''}")


def _values(payload: dict[str, Any]) -> dict[str, str]:
    flat = {**payload["row"], **payload}
    return {name: "" if flat[name] is None else str(flat[name]) for name in PLACEHOLDERS}


def _seconds(retry_after: str | None) -> float | None:
    """The header's form in seconds; its other form, a date, is left to the usual waiting time."""
    value = (retry_after or "").strip()
    return float(value) if value.isascii() and value.isdecimal() else None
