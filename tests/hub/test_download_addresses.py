"""Where a download may lead: redirects, other protocols, unknown hosts, proxies."""

from __future__ import annotations

import dataclasses
import email.message
import io
import socket
import urllib.request
from pathlib import Path

import pytest

from anomalyclip.errors import HubError
from anomalyclip.hub import http
from anomalyclip.hub.download import download
from anomalyclip.hub.http import StatusError, UnreachableError


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server, remote, target, body, answers, naps, code: int) -> None:
    server.files["/elsewhere"] = body
    server.scripts["/clip/tiny.pt"] = [answers.redirect("/elsewhere", code)] * 2
    server.scripts["/elsewhere"] = [answers.cut(100_000)]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    assert server.requests[-1]["range"] == "bytes=100000-"  # the range survives the redirect
    assert server.requests[-1]["sent"] == len(body) - 100_000


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher://x"])
def test_redirects_to_elsewhere_than_the_web_are_refused(server, remote, target, answers, place: str) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.redirect(place)]
    with pytest.raises(HubError, match=r"redirects to .*, which is refused"):
        download(remote, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "followed"),
    [("http", "http", True), ("http", "https", True), ("https", "https", True), ("https", "http", False)],
)
def test_redirects_never_leave_tls(old: str, new: str, followed: bool) -> None:
    class Parent:
        def open(self, request: urllib.request.Request, timeout: float) -> str:
            return request.full_url

    handler = http._Redirects()
    handler.parent = Parent()  # type: ignore[assignment]
    request = urllib.request.Request(f"{old}://a.example/x", headers={"Range": "bytes=1-"})
    request.timeout = 1.0  # type: ignore[attr-defined]
    headers = email.message.Message()
    headers["Location"] = f"{new}://b.example/y"
    if followed:
        assert handler.http_error_307(request, io.BytesIO(), 307, "", headers) == f"{new}://b.example/y"
    else:
        with pytest.raises(HubError, match="only https follows https"):
            handler.http_error_307(request, io.BytesIO(), 307, "", headers)


def test_a_redirect_loop_ends(server, remote, target, answers) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.redirect("/clip/tiny.pt")] * 50
    with pytest.raises(StatusError, match="answered 302"):
        download(remote, target)
    assert len(server.requests) < 15


def test_an_unknown_host_fails_at_once(remote, target, naps, monkeypatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    lost = dataclasses.replace(remote, url="https://models.invalid/x")
    with pytest.raises(UnreachableError, match=r"cannot reach models\.invalid: its name does not resolve"):
        download(lost, target, patience=naps.patience())
    assert naps == []


def test_a_refused_connection_fails_at_once_even_with_a_partial_file(remote, target, naps) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    part_of(target).write_bytes(b"?" * 1000)
    target.with_name("tiny.pt.part.json").write_text(f'{{"checksum": "{remote.checksum}"}}')
    with pytest.raises(UnreachableError, match="refused"):
        download(dataclasses.replace(remote, url=f"http://127.0.0.1:{port}/x"), target, patience=naps.patience())
    assert naps == []
    assert part_of(target).stat().st_size == 1000


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense", "http://[", "http://a:b/"])
def test_other_addresses_than_http_are_refused(remote, target, url: str) -> None:
    with pytest.raises(HubError):
        download(dataclasses.replace(remote, url=url), target)


def test_the_proxy_variables_work(server, remote, target, body, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    download(dataclasses.replace(remote, url="http://models.invalid/clip/tiny.pt"), target)
    assert server.requests[0]["path"] == "http://models.invalid/clip/tiny.pt"
    assert target.read_bytes() == body
