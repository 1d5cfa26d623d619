"""What every exchange leaves behind: a log line, counts, headers; and how the door closes."""

from __future__ import annotations

import json
import logging
import socket

import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.serve import ServeConfig, bind
from anomalyclip.serve.logs import JsonFormatter


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
    with pytest.raises(ConfigError, match="cannot listen on"):
        bind("256.1.1.1", 0)
