"""`anomalyclip serve` as a process of its own: many clients at once, and SIGTERM in the middle of them."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLIENTS = 50


class Server:
    """A running server and its log."""

    def __init__(self, options: list[str]) -> None:
        command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
        self.lines: list[bytes] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(rb":(\d+)/", line):
                self.port = int(found.group(1))
                break
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr or []))
        self._reader.start()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(120)
        self._reader.join(60)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {"Content-Type": "multipart/form-data; boundary=b"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def start(tiny_model: list[str]) -> Iterator[Callable[..., Server]]:
    servers = []

    def run(*options: str) -> Server:
        servers.append(Server([*tiny_model, *options]))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def body() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="patient-john-doe.png"\r\n\r\n'
    return head + data.getvalue() + b"\r\n--b--\r\n"


def _all(clients: list[threading.Thread]) -> None:
    for client in clients:
        client.start()
    for client in clients:
        client.join(120)
        assert not client.is_alive()


def test_fifty_clients_get_answers_or_429(start: Callable[..., Server], body: bytes) -> None:
    server = start("--queue", "20", "--max-files", "20")
    statuses: Counter[int] = Counter()
    scores = set()

    def client() -> None:
        for _ in range(4):
            status, answer = server.ask("POST", "/v1/detect", body)
            statuses[status] += 1
            if status == 200:
                scores.add(round(json.loads(answer)["results"][0]["score"], 5))

    _all([threading.Thread(target=client) for _ in range(CLIENTS)])
    assert set(statuses) <= {200, 429}
    assert statuses.total() == 4 * CLIENTS
    assert statuses[200] >= 20
    assert len(scores) == 1, "one image has one score, whatever shares its batch"
    metrics = server.ask("GET", "/metrics")[1].decode()
    assert f'anomalyclip_images_total{{outcome="scored"}} {statuses[200]:.1f}' in metrics
    assert "anomalyclip_images_waiting 0.0" in metrics
    assert "anomalyclip_body_bytes_in_flight 0.0" in metrics
    assert server.stop() == 0
    _check_log(server.lines, statuses)


def _check_log(lines: list[bytes], statuses: Counter[int]) -> None:
    """Every line but the greeting is JSON; requests are all there, names and contents are not."""
    entries = [json.loads(line) for line in lines if line.startswith(b"{")]
    others = [line for line in lines if not line.startswith(b"{")]
    assert others[-1].startswith(b"Listening.")
    assert len(others) <= 2  # the other runtime that is installed may be named
    assert b"patient" not in b"".join(lines)
    logged = Counter(entry["status"] for entry in entries if entry.get("route") == "/v1/detect")
    assert logged == statuses
    request = next(entry for entry in entries if entry.get("route") == "/v1/detect")
    assert {"time", "level", "event", "id", "client", "method", "ms", "bytes_in", "bytes_out"} <= request.keys()


def test_sigterm_under_load_loses_nothing_that_was_accepted(start: Callable[..., Server], body: bytes) -> None:
    """Clients stop when /readyz turns 503, as a load balancer's do; whatever they sent before is answered."""
    server = start("--drain", "1.5", "--queue", "200")
    statuses: Counter[int] = Counter()
    lost: list[str] = []
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            one()

    def one() -> None:
        try:
            statuses[server.ask("POST", "/v1/detect", body)[0]] += 1
        except OSError as error:
            lost.append(repr(error))

    def balancer() -> None:
        while server.ask("GET", "/readyz")[0] == 200:
            time.sleep(0.02)
        stop.set()

    def terminate() -> None:
        while statuses[200] < 2 * CLIENTS:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)

    _all([threading.Thread(target=run) for run in (*[client] * CLIENTS, balancer, terminate)])
    assert lost == []
    assert set(statuses) <= {200, 429}
    assert server.stop() == 0


def test_a_port_that_is_taken(tiny_model: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "anomalyclip", "serve", "--port", port, *tiny_model]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2
    assert b"address already in use" in done.stderr.lower()
    assert b"Traceback" not in done.stderr


def test_bad_options_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    for options, words in (
        (["--port", "99999"], b"--port"),
        (["--queue", "4"], b"could never be accepted"),
        (["--api-key-file", str(tmp_path / "none")], b"cannot be read"),
    ):
        command = [sys.executable, "-m", "anomalyclip", "serve", *options]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert done.returncode == 2
        assert words in done.stderr
        assert b"Traceback" not in done.stderr
