"""Messages and streams that are to be sent to a cloud's metadata, and what is shown of passwords meanwhile."""

from __future__ import annotations

import http.server
import importlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.watching import addresses, capture
from anomalyclip.watching.capture import open_capture
from anomalyclip.watching.deliver import DeliveryError, Webhook
from anomalyclip.watching.queue import Message

MESSAGE = Message("webhook", "e1", b"{}")
METADATA = [
    "169.254.169.254",
    "169.254.0.1",
    "[fe80::1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[fd20:ce::254]",
    "[fd00:42::42]",
    "[::169.254.169.254]",
    "[::ffff:0:169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2001:0:102:304:0:0:5601:5601]",
    "[fd12::5efe:169.254.169.254]",
    "[ff02::1]",
    "224.0.0.1",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "100.100.100.200",
    "2852039166",
    "0xa9fea9fe",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", METADATA)
def test_metadata_by_any_spelling(host: str) -> None:
    with pytest.raises(DeliveryError, match="--allow-link-local"):
        Webhook(f"http://{host}/latest", 1.0)(MESSAGE)
    with pytest.raises(InputError, match="--allow-link-local"):
        open_capture(f"rtsp://{host}/stream")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "192.168.1.9", "::1", "fd12::1", "93.184.216.34"])
def test_where_a_factory_has_its_receivers(address: str) -> None:
    assert not addresses.refused(address)


def test_a_name_that_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, port: int, *args: object, **more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", lookup)
    with pytest.raises(DeliveryError, match="is a link-local or metadata address"):
        Webhook("http://factory.example/alarm", 1.0)(MESSAGE)


class _Receiver(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        self.send_response(302 if self.path == "/redirect" else 204)
        self.send_header("Location", "http://169.254.169.254/latest")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    seen: list[tuple[str, str | None]] = []
    handler = type("Handler", (_Receiver,), {"seen": seen})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, seen
        server.shutdown()


def test_a_name_that_leads_elsewhere_the_second_time(receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was connected to is looked at again, before a byte of the message goes out."""
    port, seen = receiver
    monkeypatch.setattr("anomalyclip.watching.deliver.check_host", lambda host, port: None)
    monkeypatch.setattr(addresses, "refused", lambda address: address == "127.0.0.1")
    with pytest.raises(DeliveryError, match="--allow-link-local"):
        Webhook(f"http://127.0.0.1:{port}/", 5.0)(MESSAGE)
    assert seen == []
    Webhook(f"http://127.0.0.1:{port}/", 5.0, link_local=True)(MESSAGE)
    assert len(seen) == 1


def test_redirects_are_not_followed(receiver) -> None:
    port, seen = receiver
    with pytest.raises(DeliveryError, match="HTTP 302"):
        Webhook(f"http://127.0.0.1:{port}/redirect", 5.0)(MESSAGE)
    assert len(seen) == 1


def test_passwords_are_sent_and_never_shown(receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    port, seen = receiver
    monkeypatch.delenv("ANOMALYCLIP_WEBHOOK_TOKEN", raising=False)
    webhook = Webhook(f"http://line:geheim@127.0.0.1:{port}/alarm?token=t0p", 5.0)
    webhook(MESSAGE)
    assert seen == [("/alarm?token=t0p", "Basic bGluZTpnZWhlaW0=")]
    assert "geheim" not in repr(webhook)
    assert "t0p" not in repr(webhook)
    for url in (
        f"http://line:geheim@127.0.0.1:{1}/?token=t0p",
        "http://u:geheim@a b/?t0p",
    ):
        with pytest.raises(DeliveryError) as failed:
            Webhook(url, 0.5)(MESSAGE)
        assert "geheim" not in str(failed.value)
        assert "t0p" not in str(failed.value)
    for url in (
        "ftp://u:geheim@h/",
        "http://u:geheim@h:port/?token=t0p",
        "http://u:geheim@[::1/",
        "http://u:geh/eim:geheim@h/",
    ):
        with pytest.raises(ConfigError) as refused:
            Webhook(url)
        assert "geheim" not in str(refused.value)
        assert "t0p" not in str(refused.value)


def test_stream_playlist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    asked = importlib.import_module("stream_playlist").asked
    assert asked() == {"/camera.m3u8"}
    assert asked(link_local=True) == {"/camera.m3u8", "/elsewhere.ts"}


def test_the_operators_options_of_streams_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(
        "cv2.VideoCapture", lambda *args: seen.append(os.environ.get(capture._OPTIONS_VARIABLE)) or _Open()
    )
    monkeypatch.setenv(capture._OPTIONS_VARIABLE, "buffer_size;1000")
    for link_local in (False, True):
        open_capture("rtsp://127.0.0.1/stream", link_local=link_local)
    assert seen == [f"{capture._OPTIONS}|buffer_size;1000", "buffer_size;1000"]
    assert os.environ[capture._OPTIONS_VARIABLE] == "buffer_size;1000"


class _Open:
    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True
