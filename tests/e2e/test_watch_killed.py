"""kill -9 again and again while files arrive: every image in the results once, every anomaly reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
KILLS, PER_LIFE = 3, 8
Rows = Callable[[Path], list[dict[str, Any]]]


class Receiver(ThreadingHTTPServer):
    """Takes every message and keeps it: (idempotency key, payload) in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[tuple[str, dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append((self.headers["Idempotency-Key"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def watch(tiny_model: list[str]) -> Callable[..., subprocess.Popen[bytes]]:
    """watch(folder, "--output", out) starts the real command."""

    def start(*args: object) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "anomalyclip", "watch", *tiny_model, "--interval", "0.05", "--settle", "0.1"]
        return subprocess.Popen([*line, *map(str, args)], env=ENVIRONMENT, stderr=subprocess.PIPE)

    return start


class Arrivals:
    """Images that come from a thread: some written slowly in place, some renamed into place."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.count = folder, 0
        self._rng = np.random.default_rng(2)

    def add(self) -> None:
        pixels = self._rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        target = self.folder / f"{self.count:03d}.png"
        aside = self.folder / f".{self.count}.tmp"
        Image.fromarray(pixels).save(aside, "PNG")
        if self.count % 2:
            aside.rename(target)
        else:
            data = aside.read_bytes()
            aside.unlink()
            with target.open("wb") as file:
                file.write(data[: len(data) // 2])
                file.flush()
                time.sleep(0.02)
                file.write(data[len(data) // 2 :])
        self.count += 1


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 250
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.005)


def test_killed_watchers_skip_nothing_and_score_nothing_twice(
    watch: Callable[..., subprocess.Popen[bytes]], receiver: Receiver, tmp_path: Path, rows_of: Rows
) -> None:
    arrivals, output = Arrivals(tmp_path / "in"), tmp_path / "out"
    options = (arrivals.folder, "--output", output, "--threshold", "0", "--keep", "5", "--quiet")
    options += ("--webhook", f"http://127.0.0.1:{receiver.server_port}/alarm")
    for life in range(KILLS):
        process = watch(*options)
        before = _lines(output / "results.jsonl")
        for _ in range(PER_LIFE):
            arrivals.add()
        # The kill comes at another step each time: right after a row, and while others are under way.
        _until(lambda: _lines(output / "results.jsonl") >= before + 1 + 2 * life, process)  # noqa: B023
        arrivals.add()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    process = watch(*options, "--once")
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors.decode()
    rows = rows_of(output)
    assert sorted(Path(row["path"]).name for row in rows) == [f"{i:03d}.png" for i in range(arrivals.count)]
    assert [row["error"] for row in rows] == [None] * arrivals.count
    told = {key: message["row"]["path"] for key, message in receiver.messages}
    assert sorted(told.values()) == sorted(row["path"] for row in rows), "one event per image, whatever was repeated"
    assert all(key == message["id"] for key, message in receiver.messages)
    kept = sorted((output / "evidence").iterdir())
    assert len(kept) == 5
    assert all({file.name for file in folder.iterdir()} == {"image.png", "overlay.png", "row.json"} for folder in kept)


def test_sigterm_ends_it_cleanly_and_a_second_watcher_is_refused(
    watch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, rows_of: Rows
) -> None:
    arrivals, output = Arrivals(tmp_path / "in"), tmp_path / "out"
    process = watch(arrivals.folder, "--output", output)
    arrivals.add()
    _until(lambda: _lines(output / "results.jsonl") == 1, process)
    other = watch(arrivals.folder, "--output", output)
    _, errors = other.communicate(timeout=250)
    assert other.returncode == 1
    assert b"another watcher is writing" in errors
    process.terminate()
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors.decode()
    assert b"1 scored" in errors
    assert len(rows_of(output)) == 1
