"""One file kills the decoder: the line goes on all the same, after two deaths at most, and says which file it was."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ATTACKS = Path(__file__).parents[2] / "attacks"
FAULT = Path(__file__).parents[1] / "io" / "faults"
MOST_DEATHS = 2
Rows = list[dict[str, Any]]


def poison() -> bytes:
    spec = importlib.util.spec_from_file_location("poison", ATTACKS / "poison.py")
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(ATTACKS))
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ATTACKS))
    return bytes(module.make())


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A data set of one class, with the poison among its pictures; `part/test/good` is also a folder to watch."""
    rng = np.random.default_rng(3)
    for place, count in (("train/good", 1), ("test/good", 4), ("test/bad", 3)):
        folder = tmp_path / "data/part" / place
        folder.mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    truth = tmp_path / "data/part/ground_truth/bad"
    truth.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), ((20, 35), (30, 41)))).save(truth / f"{number}_mask.png")
    (tmp_path / "data/part/test/good/2.png").write_bytes(poison())
    return tmp_path


def run(*words: object, fault: bool = True) -> subprocess.CompletedProcess[str]:
    here = [str(FAULT)] if fault else []
    path = os.pathsep.join([*here, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "anomalyclip", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def outlives(*words: object, again: tuple[object, ...] = ()) -> tuple[int, subprocess.CompletedProcess[str]]:
    """Start it again until it ends by itself: (deaths, the end)."""
    for deaths in range(MOST_DEATHS + 2):
        ended = run(*words, *(again if deaths else ()))
        if ended.returncode != -signal.SIGKILL:
            return deaths, ended
    raise AssertionError("it dies for ever")


def rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def only_the_poison(found: Rows, key: str = "error") -> None:
    wrong = [(Path(row["path"]).name, row[key]) for row in found if row[key] is not None]
    assert [name for name, _ in wrong] == ["2.png"], wrong
    assert "the process ended 2 times while it was reading this file" in wrong[0][1] or "SIGKILL" in wrong[0][1]


@pytest.mark.parametrize(("isolate", "most"), [("off", 2), ("auto", 1), ("on", 0)])
def test_poison_in_detect(line, isolate, most):
    out, words = line / "out", ("--image-size", "96", "--offline", "--quiet", "--isolate", isolate)
    deaths, end = outlives("detect", line / "data/part/test/good", "-o", out, *words, again=("--resume",))
    assert deaths == most
    assert end.returncode == 3, end.stderr
    found = rows(out / "results.jsonl")
    assert len(found) == 4
    only_the_poison(found)
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4
    # Failed rows are tried again on --resume; this one still is not.
    assert run("detect", line / "data/part/test/good", "-o", out, *words, "--resume").returncode == 3
    only_the_poison(rows(out / "results.jsonl"))
    # Mended, it is read again.
    Image.new("RGB", (80, 64)).save(line / "data/part/test/good/2.png")
    assert run("detect", line / "data/part/test/good", "-o", out, *words, "--resume").returncode == 0


def test_poison_in_watch(line):
    words = ("--image-size", "96", "--offline", "--quiet", "--once", "--settle", "0")
    deaths, end = outlives("watch", line / "data/part/test/good", "-o", line / "out", *words)
    assert deaths <= MOST_DEATHS
    assert end.returncode == 3, end.stderr
    found = rows(line / "out/results.jsonl")
    assert len(found) == 4
    only_the_poison(found)
    assert run("watch", line / "data/part/test/good", "-o", line / "out", *words).returncode == 0  # nothing is left
    assert len(rows(line / "out/results.jsonl")) == 4


def test_poison_in_calibrate(line):
    words = ("--image-size", "96", "--offline", "--no-memory", "--fpr", "0.5", "--no-plot")
    deaths, end = outlives("calibrate", line / "data/part/test/good", "-o", line / "line.json", *words)
    assert deaths == 1  # the second attempt is in a process of its own
    assert end.returncode == 3, end.stderr
    assert "2.png: its decoder's process was ended by SIGKILL" in " ".join(end.stderr.split())
    assert (line / "line.json").exists()


def test_poison_in_evaluate(line):
    words = ("--image-size", "96", "--offline", "--quiet", "--no-plots")
    deaths, end = outlives("evaluate", line / "data", "-o", line / "out", *words)
    assert deaths == 1  # the second attempt is in a process of its own
    assert end.returncode == 3, end.stderr
    assert "2.png: its decoder's process was ended by SIGKILL" in " ".join(end.stderr.split())
    assert (line / "out/metrics.json").exists()
