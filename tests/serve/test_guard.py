"""What every exchange leaves behind: a log line, counts, headers; and how the door closes."""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import logging.config
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.serve import ServeConfig, bind, protocol
from anomalyclip.serve.logs import JsonFormatter, log_config


@pytest.fixture
def lines():
    """JSON lines of this test."""
    seen: list[dict] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(json.loads(JsonFormatter().format(record)))

    logger, handler = logging.getLogger("anomalyclip.serve"), Handler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield seen
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_requests_are_logged_without_names_and_counted(serve, lines, png) -> None:
    with serve() as up:
        answer = up.send_files([("john-doe.png", png(0)), ("bad.png", b"x")], "/v1/detect?threshold=0")
        up.ask("GET", "/v1/john-doe")
        up.ask("BREW", "/v1/detect")
        metrics = up.ask("GET", "/metrics").body.decode()
    first = lines[0]
    assert first["id"] == answer.headers["x-request-id"]
    assert (first["event"], first["route"], first["method"], first["status"]) == ("request", "/v1/detect", "POST", 200)
    assert (first["bytes_in"] > 9000, first["bytes_out"]) == (True, len(answer.body))
    assert [(line["route"], line["method"], line["status"]) for line in lines[1:3]] == [
        ("other", "GET", 404), ("/v1/detect", "other", 405),
    ]  # fmt: skip
    assert "john" not in json.dumps(lines)
    for sample in (
        'anomalyclip_requests_total{method="POST",route="/v1/detect",status="200"} 1.0',
        'anomalyclip_requests_total{method="GET",route="other",status="404"} 1.0',
        'anomalyclip_images_total{outcome="scored"} 1.0',
        'anomalyclip_images_total{outcome="failed"} 1.0',
        'anomalyclip_decisions_total{decision="anomalous"} 1.0',
        "anomalyclip_batch_images_count 1.0",
        "anomalyclip_ready 1.0",
    ):
        assert sample in metrics.splitlines()


def test_a_failure_of_ours_is_a_500_with_its_number_and_a_traceback_in_the_log(serve, lines, monkeypatch) -> None:
    with serve() as up:

        def breaks(deciding):
            raise ZeroDivisionError("ours")

        monkeypatch.setattr(up.service, "provenance", breaks)
        answer = up.ask("GET", "/v1/models")
        monkeypatch.undo()
    assert (answer.status, answer.json["error"]["kind"]) == (500, "failed")
    assert answer.headers["x-request-id"] in answer.json["error"]["message"]
    (failure,) = [line for line in lines if line["event"] == "request failed"]
    assert "ZeroDivisionError: ours" in failure["traceback"]


def test_while_draining_it_answers_and_closes(serve, png) -> None:
    with serve(ServeConfig(drain_seconds=60)) as up:
        assert up.ask("GET", "/readyz").json == {"status": "ready"}
        up.server.handle_exit(15, None)
        answer = up.ask("GET", "/readyz")
        assert (answer.status, answer.json, answer.headers["connection"]) == (503, {"status": "draining"}, "close")
        assert up.send_files([("a.png", png(0))]).status == 200, "what comes all the same is carried out"
        assert up.ask("GET", "/healthz").status == 200


def test_an_address_that_is_taken_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*--port"):
            bind("127.0.0.1", port)
    for elsewhere in ("256.1.1.1", "192.0.2.1"):  # no address; RFC 5737's, which nobody has
        with pytest.raises(ConfigError, match=r"cannot listen on .*; --host takes an address or name"):
            bind(elsewhere, 0)


def _told(port: int, sent: bytes) -> tuple[int, Any]:
    """(status, JSON) that bytes are answered with."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00" + bytes(range(256)) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=["tls", "no host", "length"],
)
def test_what_is_no_request_is_refused_in_the_same_form(sent, server) -> None:
    status, told = _told(server.port, sent)
    assert (status, told["error"]["kind"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/readyz", "localhost", 200),
        ("HTTP://127.0.0.1:{port}/v1/profiles?", "else.example", 200),
        ("http://localhost", "localhost", 200),
        ("http://localhost?a=1", "localhost", 200),
        ("http://localhost/none", "localhost", 404),
        ("http://else.example/readyz", "localhost", 403),
        ("http:///readyz", "localhost", 404),
    ],
)
def test_a_whole_address_is_its_path_asked_of_its_host(serve, target, host, status) -> None:
    """RFC 9112, 3.2.2: the server must take it, and must not believe the header Host beside it."""
    ours = ServeConfig(hosts=frozenset({"localhost", "127.0.0.1"}))
    with serve(ours) as up, socket.create_connection(("127.0.0.1", up.port), timeout=10) as connection:
        line = f"GET {target.format(port=up.port)} HTTP/1.1"
        connection.sendall(f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == status


def test_request_in_crumbs(server, monkeypatch) -> None:
    """Few small chunks, or many larger ones, are none."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    answer = importlib.import_module("request_in_crumbs").answer
    refused = answer(server.port, chunks=4000)
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert b"the chunks of its body too small" in refused
    assert answer(server.port, chunks=1000).startswith(b"HTTP/1.1 200 ")
    assert answer(server.port, chunks=4000, size=256).startswith(b"HTTP/1.1 200 ")


def test_request_two_lengths(server, monkeypatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    said = importlib.import_module("request_two_lengths").answers(server.port)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"tells its length twice" in said
    assert said.count(b"HTTP/1.1 ") == 1, "the hidden request is not answered"


def test_connections_half_open(serve, monkeypatch) -> None:
    """They hold no place; where every place is of one who asks for something, that is told."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 4)
    with serve() as up, ExitStack() as stack:
        assert importlib.import_module("connections_half_open").answer(up.port, 12).startswith(b"HTTP/1.1 200 ")
        for _ in range(4):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", up.port)))
            one.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            one.sendall(b"Content-Length: 9\r\n\r\n")
        deadline = time.monotonic() + 20
        while up.service.admission.requests < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        status, told = _told(up.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (status, told["error"]["kind"]) == (503, "unavailable")


def test_libraries_are_quiet(capfd) -> None:
    """python-multipart tells its log what is wrong with a body; the client is told, the terminal is not."""
    logging.config.dictConfig(log_config())
    try:
        logging.getLogger("python_multipart.multipart").warning("Did not find LF at end of boundary (4)")
        assert capfd.readouterr() == ("", "")
    finally:
        for name in log_config()["loggers"]:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET
