"""What a client cannot do to the server: too much, too slow, without the key, from another site."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
import zlib
from contextlib import suppress

import numpy as np
import psutil
import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.serve import Limits, ServeConfig

HEAD = (
    b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    b"Content-Type: multipart/form-data; boundary=anomalyclip-test\r\n"
)


def _talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces over a plain socket, with pauses, until an answer comes; read it to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        for piece in pieces:
            wire.sendall(piece)
            if pause and select.select([wire], [], [], pause)[0]:
                break
        return _rest(wire)


def _rest(wire: socket.socket) -> bytes:
    got = b""
    while piece := wire.recv(65536):
        got += piece
    return got


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.fixture(scope="module")
def small(serve):
    """A server with limits that a test can reach."""
    limits = Limits(
        max_bytes=100_000, max_pixels=10_000, body_seconds=1.5, idle_seconds=0.6, header_seconds=0.6, write_seconds=0.6
    )
    with serve(ServeConfig(limits=limits)) as up:
        yield up


def test_a_declared_length_above_the_limit_is_refused_before_the_body(small) -> None:
    answer = _talk(small.port, HEAD + b"Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"too_large" in answer
    assert b"100 Continue" not in answer


def test_an_undeclared_length_is_counted_while_it_streams(small, form, png) -> None:
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(form([("a.png", png(0))])[:-30])
    answer = _talk(small.port, start, *[_chunk(bytes(30_000))] * 6 + [b"0\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert small.service.admission.bytes == 0


def test_a_client_that_sends_too_much_still_reads_why(small) -> None:
    """Cut off while it sends, it would see a broken pipe instead."""
    answer = small.ask("POST", "/v1/detect", bytes(180_000), content_type="application/json")
    assert (answer.status, answer.json["error"]["kind"]) == (413, "too_large")


def test_pixels_are_counted_in_the_header(small, png) -> None:
    """A PNG of a few hundred bytes that declares 400 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    before = psutil.Process().memory_info().rss
    rows = small.send_files([("bomb.png", bomb + chunk(b"IEND", b"")), ("ok.png", png(0))]).json["results"]
    assert "20000 x 20000" in rows[0]["error"]
    assert rows[1]["error"] is None
    assert psutil.Process().memory_info().rss - before < 100e6


@pytest.mark.parametrize(
    "pieces",
    [
        [b"POST /v1/det", b"ect HT", b"TP/1.1\r\n", b"Host: x\r\n", b"X-A: b\r\n", b"X-B: c\r\n", b"X-C: d\r\n"],
        [],
    ],
    ids=["headers drop by drop", "nothing at all"],
)
def test_headers_that_never_end(pieces, small) -> None:
    start = time.monotonic()
    with suppress(ConnectionError):  # the server may be first
        assert _talk(small.port, *pieces, pause=0.2) == b""
    assert 0.5 < time.monotonic() - start < 15


def test_slow_headers_on_a_connection_that_was_used_before(small) -> None:
    with socket.create_connection(("127.0.0.1", small.port), timeout=30) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while b'"ok"' not in got:
            got += wire.recv(65536)
        wire.sendall(b"GET /heal")
        with suppress(ConnectionError):
            assert _rest(wire) == b""


@pytest.mark.parametrize("pause", [0.2, 5.0], ids=["never stopping, never done", "stopping"])
def test_bodies_that_never_end(pause, small, form) -> None:
    first = form([("a.png", b"")])[:80]
    answer = _talk(small.port, HEAD + b"Content-Length: 90000\r\n\r\n" + first, *[b"-"] * 40, pause=pause)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too_slow" in answer
    _until(lambda: small.service.admission.requests == 0)


def test_an_answer_that_nobody_reads_is_dropped(serve, form, png) -> None:
    """Three megabytes, more than the buffers on the way hold; its place is free again after write_seconds."""
    body = form([("a.png", png(0, (1000, 1000)))])
    head = HEAD.replace(b"/v1/detect", b"/v1/detect?maps=tiff16") + f"Content-Length: {len(body)}\r\n\r\n".encode()
    with serve(ServeConfig(limits=Limits(write_seconds=0.6))) as up, socket.socket() as wire:
        up.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.settimeout(30)
        wire.connect(("127.0.0.1", up.port))
        wire.sendall(head + body)
        _until(lambda: up.service.admission.requests == 1)
        _until(lambda: up.service.admission.requests == 0)
        assert up.ask("GET", "/readyz").status == 200
        got = b""
        with suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                got += piece
        assert b"200 OK" in got[:99]
        assert len(got) < 2_000_000, "the connection was cut"


def _until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


class Slow:
    """The small CLIP, but the first pass waits until it is told to go on."""

    def __init__(self, model) -> None:
        self.model, self.go, self.seen = model, threading.Event(), 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def predict(self, pixels):
        self.seen += len(pixels)
        assert self.go.wait(60)
        return self.model.predict(pixels)


def test_a_full_queue_says_when_to_come_back(serve, small_clip, png) -> None:
    model = Slow(small_clip)
    limits = Limits(queue=3, max_files=2)
    with serve(ServeConfig(limits=limits, batch_size=1), model) as up:
        answers = []
        clients = [
            threading.Thread(target=lambda: answers.append(up.send_files([("a.png", png(0))]))) for _ in range(3)
        ]
        for client in clients:
            client.start()
        _until(lambda: up.service.admission.images == 3)
        refused = [up.send_files([("b.png", png(1))]), up.send_files([("b.png", png(1))] * 2)]
        assert up.ask("GET", "/healthz").status == 200, "probes need no place"
        model.go.set()
        for client in clients:
            client.join()
    for answer in refused:
        assert (answer.status, answer.json["error"]["kind"]) == (429, "busy")
        assert int(answer.headers["retry-after"]) >= 1
    assert [answer.status for answer in answers] == [200] * 3


def test_bodies_of_all_requests_share_a_budget(serve, png, form) -> None:
    with serve(ServeConfig(limits=Limits(max_bytes=50_000, idle_seconds=20))) as up:
        wires = [socket.create_connection(("127.0.0.1", up.port), timeout=30) for _ in range(4)]
        piece = form([("a.png", bytes(49_000))])[:49_000]
        for wire in wires:
            wire.sendall(HEAD + b"Content-Length: 50000\r\n\r\n" + piece)
        _until(lambda: up.service.admission.bytes == 4 * 49_000)
        assert up.send_files([("b.png", png(0))]).status == 429
        for wire in wires:
            wire.close()
        _until(lambda: up.service.admission.bytes == 0)
        assert up.send_files([("b.png", png(0))]).status == 200


def test_work_has_an_end_and_what_waits_is_not_computed(serve, small_clip, png) -> None:
    model = Slow(small_clip)
    with serve(ServeConfig(limits=Limits(work_seconds=0.5), batch_size=1, batch_wait=0), model) as up:
        answer = up.send_files([("a.png", png(0))] * 5)
        assert (answer.status, answer.json["error"]["kind"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        model.go.set()
        assert up.send_files([("a.png", png(0))]).status == 200
    assert model.seen == 2, "one that was in the model, and the last; four were dropped from the queue"


def test_work_for_a_client_that_left_is_not_computed(serve, small_clip, png, form) -> None:
    model = Slow(small_clip)
    with serve(ServeConfig(batch_size=1, batch_wait=0), model) as up:
        body = form([("a.png", png(0))] * 5)
        with socket.create_connection(("127.0.0.1", up.port), timeout=30) as wire:
            wire.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            _until(lambda: model.seen == 1)
            _until(lambda: up.service.admission.images == 5)
        _until(lambda: up.service.admission.images == 0)
        model.go.set()
        assert up.send_files([("a.png", png(0))]).status == 200
    assert model.seen == 2


def test_the_key(serve, png) -> None:
    with serve(ServeConfig(api_key="correct-horse")) as up:
        files = [("a.png", png(0))]
        for headers in ({}, {"x_api_key": "wrong"}, {"authorization": "Bearer wrong-horse"}, {"x_api_key": "ü"}):
            answer = up.send_files(files, **headers)
            assert (answer.status, answer.json["error"]["kind"]) == (401, "unauthorized")
            assert ("is not this server's" in answer.json["error"]["message"]) == bool(headers)
            assert answer.headers["www-authenticate"] == "Bearer"
        assert up.send_files(files, x_api_key="correct-horse").status == 200
        assert up.send_files(files, authorization="bearer correct-horse").status == 200
        assert up.ask("GET", "/v1/models").status == 401
        assert [up.ask("GET", path).status for path in ("/", "/healthz", "/readyz", "/metrics")] == [200] * 4


def test_pages_of_other_sites_cannot_use_it(server, png) -> None:
    answer = server.send_files([("a.png", png(0))], sec_fetch_site="cross-site")
    assert (answer.status, answer.json["error"]["kind"]) == (403, "cross_site")
    assert server.send_files([("a.png", png(0))], sec_fetch_site="same-origin").status == 200


def test_a_model_that_fails_fails_one_image(serve, small_clip, png) -> None:
    class Fails(Slow):
        def predict(self, pixels):
            if (pixels.reshape(len(pixels), -1).std(axis=1) < 1e-6).any():
                raise RuntimeError("no texture")
            return self.model.predict(pixels)

    import io

    from PIL import Image

    flat = io.BytesIO()
    Image.fromarray(np.full((9, 9), 128, np.uint8)).save(flat, "PNG")
    model = Fails(small_clip)
    model.preprocess = lambda image: small_clip.preprocess(image) * (1 if image.size != (9, 9) else 0)
    with serve(ServeConfig(), model) as up:
        rows = up.send_files([("a.png", png(0)), ("flat.png", flat.getvalue()), ("b.png", png(1))]).json["results"]
    assert [row["error"] for row in rows] == [None, "RuntimeError: no texture", None]


def test_limits_make_sense_together() -> None:
    with pytest.raises(ConfigError, match="could never be accepted"):
        Limits(queue=4, max_files=5)
    with pytest.raises(ConfigError, match="above 0"):
        Limits(max_bytes=0)
    with pytest.raises(ConfigError, match="8 ASCII"):
        ServeConfig(api_key="short")
