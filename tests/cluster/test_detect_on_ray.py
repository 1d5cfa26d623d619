"""What must hold on a real cluster: every input exactly once, whoever dies; the rows are those of the local engine."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from anomalyclip.cluster.local import LocalCluster

MANY, EACH = 3000, 10  # files, and files of a block
Detect = Callable[..., subprocess.CompletedProcess[bytes]]
Rows = Callable[[Path], list[dict[str, Any]]]


def _blocks(output: Path) -> int:
    return sum(1 for _ in (output / "results").glob("part=*/block-*.parquet"))


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 250
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, jpeg: Callable[[int], bytes]) -> Path:
    """3,000 files of a few hundred bytes; every 200th is no image."""
    folder = tmp_path_factory.mktemp("many")
    pictures = [jpeg(seed) for seed in range(50)]
    for i in range(MANY):
        (folder / f"{i:05d}.jpg").write_bytes(b"broken" if i % 200 == 7 else pictures[i % 50])
    return folder


def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(
    cluster: LocalCluster,
    start: Callable[..., subprocess.Popen[bytes]],
    tiny_model: list[str],
    many: Path,
    tmp_path: Path,
    rows_of: Rows,
) -> None:
    output = tmp_path / "out"
    options = (*tiny_model, "--output", output, "--block-size", EACH, "--batch-size", EACH, "--workers", 2)
    process = start("--engine", "ray", "--address", cluster.address, many, *options)
    _until(lambda: _blocks(output) >= 5 and cluster.is_running(1, "Worker.score"), process)
    cluster.kill_node(1)
    at_the_kill = _blocks(output)
    _, errors = process.communicate(timeout=250)
    cluster.add_node()
    assert process.returncode == 3, errors.decode()
    assert at_the_kill < MANY / EACH, "the node was killed too late to matter"
    assert b"1 workers lost" in errors
    rows = rows_of(output)
    assert [row["input"] for row in rows] == list(range(MANY))
    assert [row["path"] for row in rows] == sorted(map(str, many.iterdir()))
    assert [i for i, row in enumerate(rows) if row["error"]] == list(range(7, MANY, 200))
    # The same picture gave the same score on both nodes, before and after.
    scores = {i % 50: set() for i in range(50)}
    for i, row in enumerate(rows):
        if row["error"] is None:
            scores[i % 50].add(round(row["score"], 5))
    assert Counter(map(len, scores.values())) == {1: 50}
    assert not list(output.rglob("*.tmp"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_driver_that_is_stopped_is_resumed(
    how: signal.Signals,
    cluster: LocalCluster,
    start: Callable[..., subprocess.Popen[bytes]],
    detect: Detect,
    tiny_model: list[str],
    many: Path,
    tmp_path: Path,
    rows_of: Rows,
) -> None:
    output, count = tmp_path / "out", 2000
    options = (f"{many}/0[01]*.jpg", *tiny_model, "--output", output)
    options += ("--block-size", EACH, "--batch-size", EACH, "--workers", "1")
    process = start("--engine", "ray", "--address", cluster.address, *options)
    _until(lambda: _blocks(output) >= 4, process)
    process.send_signal(how)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == (130 if how == signal.SIGINT else -how), errors.decode()
    before = {path: path.stat().st_mtime_ns for path in (output / "results").rglob("*.parquet")}
    assert 4 <= len(before) < count // EACH
    done = detect(*options, "--resume")
    assert done.returncode == 3, done.stderr.decode()
    assert [row["input"] for row in rows_of(output)] == list(range(count))
    # What was done stays as it is, but for blocks with an error, which are tried again.
    again = {path for path, then in before.items() if path.stat().st_mtime_ns != then}
    assert again <= {path for path in before if any(pq.read_table(path)["error"].to_pylist())}


def test_rows_are_those_of_the_local_engine(
    detect: Detect,
    start: Callable[..., subprocess.Popen[bytes]],
    small_model: list[str],
    tmp_path: Path,
    jpeg: Callable[[int], bytes],
    rows_of: Rows,
) -> None:
    """With a model on PyTorch, whose weights, prompts and settings reach the workers."""
    photos = tmp_path / "in"
    photos.mkdir()
    for i in range(7):
        (photos / f"{i}.jpg").write_bytes(jpeg(i))
    (photos / "3.jpg").write_bytes(jpeg(3)[:100])
    options = (photos, *small_model, "--threshold", "0.5", "--pixel-threshold", "0.4", "--batch-size", "7")
    local = start(*options, "--output", tmp_path / "local", "--no-overlay", "--maps", "none", "--no-report")
    local.communicate(timeout=120)
    done = detect(*options, "--output", tmp_path / "ray", "--block-size", "3")
    assert (local.returncode, done.returncode) == (3, 3), done.stderr.decode()
    expected = [json.loads(line) for line in (tmp_path / "local/results.jsonl").read_text().splitlines()]
    found = rows_of(tmp_path / "ray")
    assert any(row["regions"] for row in expected)
    for row, local_row in zip(found, expected, strict=True):
        assert row.keys() - {"input", "part", "identity"} == local_row.keys()
        assert json.loads(row["settings"]) == local_row["settings"]
        assert row["score"] == pytest.approx(local_row["score"], abs=1e-6)
        assert [region["box"] for region in row["regions"]] == [region["box"] for region in local_row["regions"]]
        same = ("path", "width", "height", "decision", "error", "model", "prompts")
        assert {key: row[key] for key in same} == {key: local_row[key] for key in same}
    made = json.loads(pq.read_metadata(next((tmp_path / "ray").rglob("block-*"))).metadata[b"anomalyclip"])
    assert made == {key: expected[0][key] for key in ("model", "prompts", "settings")}


@pytest.fixture
def server(tmp_path: Path, jpeg: Callable[[int], bytes]) -> Iterator[str]:
    """Pictures over HTTP: 0.jpg to 4.jpg, a text called text.jpg, and busy.jpg that is refused with 503 once."""
    refused = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").removesuffix(".jpg")
            busy = name == "busy" and name not in refused
            refused.add(name)
            data = {"text": b"hello", "busy": jpeg(9)}.get(name, jpeg(int(name)) if name.isdecimal() else None)
            self.send_response(503 if busy else 404 if data is None else 200)
            self.end_headers()
            self.wfile.write(b"" if busy or data is None else data)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_urls_and_lists_are_inputs(
    detect: Detect, tiny_model: list[str], server: str, tmp_path: Path, rows_of: Rows
) -> None:
    names = [f"{server}/{name}.jpg" for name in ("0", "1", "missing", "2", "text", "busy", "3")]
    (tmp_path / "list.txt").write_text("\n".join([*names, names[0], ""]))
    done = detect(f"@{tmp_path}/list.txt", f"{server}/4.jpg", *tiny_model, "--output", tmp_path / "out")
    assert done.returncode == 3, done.stderr.decode()
    rows = rows_of(tmp_path / "out")
    assert [row["path"] for row in rows] == [*names, f"{server}/4.jpg"]
    assert {row["path"].rpartition("/")[2] for row in rows if row["error"]} == {"missing.jpg", "text.jpg"}


def test_failed_rows_are_tried_again(
    detect: Detect, tiny_model: list[str], tmp_path: Path, jpeg: Callable[[int], bytes], rows_of: Rows
) -> None:
    photos, output = tmp_path / "in", tmp_path / "out"
    photos.mkdir()
    for i in range(4):
        (photos / f"{i}.jpg").write_bytes(jpeg(i))
    (photos / "2.jpg").write_bytes(b"half a picture")
    options = (photos, *tiny_model, "--output", output)
    assert detect(*options, "--block-size", "4").returncode == 3
    before = rows_of(output)
    (photos / "2.jpg").write_bytes(jpeg(2))
    os.utime(photos)
    again = detect(*options, "--block-size", "4", "--resume")
    assert again.returncode == 0, again.stderr.decode()
    after = rows_of(output)
    assert [row["error"] for row in after] == [None] * 4
    assert [before[i] for i in (0, 1, 3)] == [after[i] for i in (0, 1, 3)]
    other = detect(*options, "--resume", "--threshold", "0.5")
    assert other.returncode == 2
    assert b"threshold null then, 0.5 now" in other.stderr
