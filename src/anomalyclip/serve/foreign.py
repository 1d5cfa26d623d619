"""Requests that a browser sends for a page that is not ours: told by their headers, refused before anything is read.

Three ways in are closed. A page of another site, name or port posts here: its `Origin` is not the host it asks, or the
browser says so in `Sec-Fetch-Site` (a page on another port of this machine is `same-site`). A page whose own name was
made to point here (DNS rebinding) asks under that name: it is not one of ours. Programs send neither header.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers

from anomalyclip.serve.refusals import Refused

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})  # answers are readable by our own page only, and change nothing
_OURS = frozenset({"same-origin", "none"})  # none: typed by the user
_PORTS = {"http": 80, "https": 443}
_ONCE = ("host", "origin", "sec-fetch-site")  # of two of a kind, whoever stands before us may have read the other
#: A name or an IPv4 address, or an IPv6 address in brackets, and a port: nothing else of a URL (users, paths).
_PLACE = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)


def hosts_for(host: str, allowed: Collection[str]) -> frozenset[str] | None:
    """The names under which a server that listens on `host` may be asked; None is any.

    Listening on this machine alone, these are its names and those of `--allow-host`. Who lets other machines in names
    them with `--allow-host`, or any name goes.

    >>> sorted(hosts_for("127.0.0.1", ["inspect.test"]))
    ['127.0.0.1', '::1', 'inspect.test', 'localhost']
    >>> hosts_for("0.0.0.0", []) is None
    True
    """
    names = {name.lower().strip("[]") for name in allowed}
    if not _is_loopback(host) and not names:
        return None
    return frozenset(LOOPBACK | names | {host.lower()})


def refuse_foreign(method: str, headers: Headers, hosts: frozenset[str] | None) -> None:
    """Raises Refused (403)."""
    for name in _ONCE:
        if len(headers.getlist(name)) > 1:
            raise Refused("cross_site", f"the request has several headers {name}; send one")
    host = headers.get("host", "")
    if hosts is not None and _name(host) not in hosts:
        raise Refused(
            "cross_site", "the request's Host is none of this server's names; start it with --allow-host NAME for it"
        )
    if method in _HARMLESS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if (site is not None and site not in _OURS) or (origin is not None and not _same(origin, host)):
        raise Refused("cross_site", "a page of another site sent this; open this server's own page")


def _name(host: str) -> str:
    """Of a Host header: without the port and brackets, in lower case; empty for what is no host."""
    found = _PLACE.fullmatch(host.strip())
    return found["name"].lower().strip("[]") if found else ""


def _same(origin: str, host: str) -> bool:
    """Whether an Origin is the host that was asked: by name and port. Its scheme is the proxy's matter."""
    scheme, _, place = origin.partition("://")
    asked, page = _PLACE.fullmatch(host.strip()), _PLACE.fullmatch(place)
    default = _PORTS.get(scheme.lower())
    if default is None or asked is None or page is None:  # "null" is one
        return False
    return _place(page, default) == _place(asked, default)


def _place(found: re.Match[str], default: int) -> tuple[str, int]:
    return found["name"].lower(), int(found["port"] or default)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
