"""One attempt: what a receiver gets, and what counts as taken."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.watching.deliver import TOKEN_VARIABLE, Command, DeliveryError, Webhook
from anomalyclip.watching.queue import Message

PAYLOAD: dict[str, Any] = {
    "event": "anomaly", "id": "e1", "time": "2026-01-01T00:00:00.000+00:00", "source": "in", "evidence": None,
    "row": {"path": "in/a b;$(touch x) {score}.png", "score": 0.75},
}  # fmt: skip
MESSAGE = Message("webhook", "e1", json.dumps(PAYLOAD).encode())
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['ANOMALYCLIP_PATH'], json.load(sys.stdin)]), file=open(sys.argv[1], 'w'))"  # noqa: E501


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        status, headers = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[Any]:
    """`server.answer = (503, {})` is what it says; `server.got` what it was told."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answer, server.got = (200, {}), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/hook?key=1"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_the_payload_under_its_idempotency_key(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    Webhook(server.url)(MESSAGE)
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    Webhook(server.url)(MESSAGE)
    (path, first, body), (_, second, _) = server.got
    assert path == "/hook?key=1"
    assert json.loads(body) == PAYLOAD
    assert first["Idempotency-Key"] == second["Idempotency-Key"] == "e1"
    assert first["Content-Type"] == "application/json"
    assert "Authorization" not in first
    assert second["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("answer", "away", "after"),
    [
        ((503, {"Retry-After": "7"}), True, 7.0),
        ((429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), True, None),
        ((404, {}), False, None),
        ((302, {"Location": "http://127.0.0.1:1/"}), False, None),
    ],
)
def test_every_answer_but_success_is_a_failure(
    server: Any, answer: tuple[int, dict[str, str]], away: bool, after: float | None
) -> None:
    server.answer = answer
    with pytest.raises(DeliveryError, match=f"HTTP {answer[0]}") as caught:
        Webhook(server.url)(MESSAGE)
    assert (caught.value.away, caught.value.after) == (away, after)
    assert len(server.got) == 1


@pytest.mark.parametrize(("said", "taken"), [(b"HTTP/1.1", False), (b"HTTP/1.1 200 OK\r\n\r\n", True)])
def test_an_answer_that_drips_without_end_holds_nobody(said: bytes, taken: bool) -> None:
    """A byte comes in time each time; the status is the answer, what follows it is not waited for."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as slow:
        over = threading.Event()

        def drip() -> None:
            with slow.accept()[0] as client, suppress(OSError):
                client.sendall(said)
                while not over.wait(0.02):
                    client.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        threading.Timer(3, over.set).start()  # what a broken variant waits for
        try:
            with nullcontext() if taken else pytest.raises(DeliveryError, match="timed out"):
                Webhook(f"http://127.0.0.1:{slow.getsockname()[1]}/", timeout=0.2)(MESSAGE)
            assert not over.is_set()
        finally:
            over.set()
            thread.join()


def test_nobody_there_and_nobody_answering(server: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(DeliveryError, match="timed out") as caught:
            Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.1)(MESSAGE)
        assert caught.value.away
        port = silent.getsockname()[1]
    with pytest.raises(DeliveryError, match="refused") as caught:
        Webhook(f"http://127.0.0.1:{port}/")(MESSAGE)
    assert caught.value.away


@pytest.mark.parametrize("url", ["ftp://x/", "file:///etc/passwd", "factory.example/alarm", "http://"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected an address"):
        Webhook(url)


def test_a_command_gets_values_that_no_shell_reads(tmp_path: Path) -> None:
    out = tmp_path / "said"
    command = Command((sys.executable, "-c", SHOW, str(out), "{path}", "--score={score}", "{evidence}", "{}"))
    command(MESSAGE)
    (_, path, score, evidence, braces), variable, stdin = json.loads(out.read_text())
    assert path == variable == "in/a b;$(touch x) {score}.png"
    assert (score, evidence, braces) == ("--score=0.75", "", "{}")
    assert stdin == PAYLOAD
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("code", "timeout", "reason"),
    [
        ("import sys; print('no\\nluck'); sys.exit(3)", 60, "ended with code 3: no luck"),
        ("import time; time.sleep(100)", 0.2, r"did not end within 0\.2 s"),
    ],
)
def test_a_command_that_fails(code: str, timeout: float, reason: str) -> None:
    with pytest.raises(DeliveryError, match=reason):
        Command((sys.executable, "-c", code), timeout)(MESSAGE)


def test_a_command_that_is_missing_or_cannot_be_called() -> None:
    with pytest.raises(DeliveryError, match="No such file"):
        Command(("no-such-program",))(MESSAGE)
    nul = Message("command", "e1", json.dumps({**PAYLOAD, "source": "a\0b"}).encode())
    with pytest.raises(DeliveryError, match="null"):
        Command((sys.executable, "-c", "0", "{source}"))(nul)


@pytest.mark.parametrize(("line", "reason"), [("run 'x", "quot"), ("run {nothing}", "{nothing}"), ("  ", "no program")])
def test_lines_that_are_no_command(line: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Command.parse(line)


def test_a_line_is_split_like_a_shell_does() -> None:
    assert Command.parse("mail -s 'an anomaly' {path}").template == ("mail", "-s", "an anomaly", "{path}")
