"""Ctrl-C and kill -9 in the middle, then --resume: the same rows as a run without them, none twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COUNT = 120
Rows = Callable[[Path], list[dict[str, Any]]]


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _stop_in_the_middle(args: list[str], results: Path, how: signal.Signals) -> tuple[int, bytes]:
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 100
    while _lines(results) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, how)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_resumed_equals_uninterrupted(
    how: signal.Signals, command: Callable[..., list[str]], detect: Callable[..., int], photos: Callable[..., Path],
    tmp_path: Path, rows_of: Rows,
) -> None:  # fmt: skip
    folder = photos(tmp_path / "in", COUNT, size=(400, 300))
    (folder / "0001.png").write_text("broken")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    code, errors = _stop_in_the_middle(command(folder, "--output", stopped), stopped / "results.jsonl", how)
    if how == signal.SIGINT:
        assert code == 130, errors.decode()
        assert b"Traceback" not in errors
        assert b"--resume" in errors
        done = rows_of(stopped)
        assert 5 <= len(done) < COUNT
        assert (stopped / "report.html").read_text("utf-8").count("<article") == len(done) - 1
    else:
        assert code == -signal.SIGKILL
    assert detect(folder, "--output", stopped, "--resume") == 3
    assert detect(folder, "--output", whole) == 3
    rows, expected = rows_of(stopped), rows_of(whole)
    assert [r["path"] for r in rows] == [r["path"] for r in expected]
    assert len({r["path"] for r in rows}) == COUNT
    for row, other in zip(rows, expected, strict=True):
        assert row["score"] == pytest.approx(other["score"], abs=1e-5)
        assert {**row, "score": 0, "regions": 0} == {**other, "score": 0, "regions": 0}
    for output in (whole, stopped):
        assert (output / "report.html").read_text("utf-8").count("<article") == COUNT - 1
        assert not list(output.rglob("*.tmp"))
    names = [{str(p.relative_to(o)) for p in o.rglob("*")} for o in (whole, stopped)]
    assert names[0] == names[1]
