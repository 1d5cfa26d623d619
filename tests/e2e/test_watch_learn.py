"""`watch --learn`: from a profile and from nothing, through kills, and into a drift that must stop it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
Rows = Callable[[Path], list[dict[str, Any]]]
QUICK = ("--once", "--interval", "0.02", "--settle", "0.05", "--batch-size", "1")


def part(seed: int, blob: float = 0.0) -> Image.Image:
    """A chequered part with noise; `blob` grey levels brighter in the middle."""
    rng = np.random.default_rng(seed)
    row, column = np.indices((70, 70))
    levels = (row // 10 + column // 10) % 2 * 60.0 + 90 + rng.normal(0, 6, (70, 70)) + rng.normal(0, 3)
    levels += blob * np.exp(-((row - 30) ** 2 + (column - 40) ** 2) / (2 * 12.0**2))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")


def save(folder: Path, pictures: dict[str, Image.Image]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def call(small_model: list[str]) -> Callable[..., int]:
    """call("watch", ...) runs a command in this process; gives the exit code."""
    from anomalyclip.cli import main

    def run(verb: str, *args: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main([verb, *small_model, *map(str, args)])
        return int(ended.value.code or 0)

    return run


@pytest.fixture(scope="module")
def profile(call: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read by every test: what a watch learns lies beside its own results."""
    folder = tmp_path_factory.mktemp("line")
    good = save(folder / "good", {f"{i:02d}": part(i) for i in range(20)})
    options = ("--no-plot", "--no-self-test", "--quiet", "--output", folder / "line.json")
    assert call("calibrate", good, "--fpr", "0.05", *options) == 0
    return folder / "line.json"


def bank(output: Path) -> tuple[list[Any], list[Any]]:
    """All that was learned, as the journal holds it."""
    database = sqlite3.connect(output / "journal.sqlite")
    try:
        pictures = database.execute("SELECT * FROM learned_pictures ORDER BY number").fetchall()
        return pictures, database.execute("SELECT * FROM prototypes ORDER BY number").fetchall()
    finally:
        database.close()


def standing(output: Path) -> dict[str, Any]:
    database = sqlite3.connect(output / "journal.sqlite")
    try:
        (found,) = database.execute("SELECT value FROM meta WHERE key = 'learning'").fetchone()
    finally:
        database.close()
    return dict(json.loads(found))


def brief(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((Path(row["path"]).name, row["score"], row["settings"]["learned"]) for row in rows)


def test_what_looks_normal_is_learned_and_a_kill_changes_nothing(
    call: Callable[..., int], profile: Path, small_model: list[str], tmp_path: Path, rows_of: Rows
) -> None:
    stream = save(tmp_path / "in", {f"{i:02d}": part(100 + i) for i in range(14)})
    options = (stream, "--profile", profile, *QUICK, "--quiet")
    assert call("watch", *options, "--learn", "--output", tmp_path / "once") == 0
    assert call("watch", *options, "--output", tmp_path / "plain") == 0
    learned, plain = rows_of(tmp_path / "once"), rows_of(tmp_path / "plain")
    assert learned[0]["score"] == plain[0]["score"], "nothing is learned yet"
    assert all(one["score"] <= other["score"] for one, other in zip(learned, plain, strict=True))
    assert any(one["score"] < other["score"] for one, other in zip(learned, plain, strict=True))
    numbers = [row["settings"]["learned"] for row in learned]
    assert numbers == sorted(numbers)
    assert 5 < numbers[-1] < 14
    pictures, prototypes = bank(tmp_path / "once")
    assert {picture for _, picture, *_ in prototypes} == {number for number, *_ in pictures}

    line = [sys.executable, "-m", "anomalyclip", "watch", *small_model, *map(str, options), "--learn"]
    process = subprocess.Popen([*line, "--output", str(tmp_path / "killed")], env=ENVIRONMENT)
    results = tmp_path / "killed" / "results.jsonl"
    deadline = time.monotonic() + 240
    while not results.exists() or results.read_bytes().count(b"\n") < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert call("watch", *options, "--learn", "--output", tmp_path / "killed") == 0
    assert brief(rows_of(tmp_path / "killed")) == brief(learned)
    assert bank(tmp_path / "killed") == (pictures, prototypes)
    assert standing(tmp_path / "killed") == standing(tmp_path / "once")


def test_a_slow_drift_into_a_fault_stops_the_learning_and_is_taken_back(
    call: Callable[..., int], profile: Path, tmp_path: Path, rows_of: Rows, capfd: pytest.CaptureFixture[str]
) -> None:
    good = {f"a{i:02d}": part(300 + i) for i in range(15)}
    drifting = {f"b{i:02d}": part(400 + i, blob=3.0 * i) for i in range(60)}
    stream = save(tmp_path / "in", good | drifting)
    options = (stream, "--profile", profile, *QUICK, "--learn", "--quiet", "--output", tmp_path / "out")
    assert call("watch", *options) == 0
    assert "learning has stopped" in capfd.readouterr().err
    how = standing(tmp_path / "out")
    assert how["stopped"]
    pictures, _ = bank(tmp_path / "out")
    last = max(number for number, *_ in pictures)
    assert last <= max(how["clean"]) < how["admitted"], "what came since the doubt began is forgotten"
    assert last < 45, "of the good pictures and the weakest of the drift"
    rows = rows_of(tmp_path / "out")
    assert sum(row["decision"] == "anomalous" for row in rows[-20:]) > 15, "the fault is still found"
    save(stream, {f"c{i:02d}": part(500 + i) for i in range(3)})
    assert call("watch", *options) == 0
    assert "learning has stopped" in capfd.readouterr().err
    assert standing(tmp_path / "out") == how


def test_from_nothing_the_first_pictures_become_the_line(
    call: Callable[..., int], tmp_path: Path, rows_of: Rows, capfd: pytest.CaptureFixture[str]
) -> None:
    from anomalyclip.calibration import read_profile

    stream = save(tmp_path / "in", {f"{i:02d}": part(600 + i) for i in range(24)})
    options = (stream, *QUICK, "--learn", "--threshold", "1", "--output", tmp_path / "out")
    assert call("watch", *options) == 0
    assert not (tmp_path / "out" / "learned" / "line.json").exists()
    save(stream, {"24": part(600), **{f"{i:02d}": part(600 + i) for i in range(25, 30)}})
    assert call("watch", *options) == 0
    made = read_profile(tmp_path / "out" / "learned" / "line.json")
    assert made.count == 25, "the same picture twice counts once"
    rows = rows_of(tmp_path / "out")
    unjudged = [row["p_value"] is None for row in rows]
    assert unjudged == sorted(unjudged, reverse=True), "from the line on, every picture is judged by it"
    assert 26 <= sum(unjudged) <= 28, "what was being read by then goes by the words"
    last = rows[-1]
    assert last["p_value"] == pytest.approx(made.p_value(last["score"]))
    assert "learned" in last["settings"]
    save(stream, {"30": part(640)})
    assert call("watch", *options) == 0
    assert rows_of(tmp_path / "out")[-1]["p_value"] is not None
    assert "Learning a line" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--no-memory",), "has none"), (("--aligned", "1"), "at their place"), (("--memory", "april-gan"), "april-gan")],
)
def test_what_cannot_learn_is_refused(
    call: Callable[..., int], tmp_path: Path, options: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    good = save(tmp_path / "good", {f"{i:02d}": part(i) for i in range(10)})
    made = ("--no-plot", "--no-self-test", "--quiet", "--output", tmp_path / "line.json")
    assert call("calibrate", good, "--fpr", "0.1", *options, *made) == 0
    capfd.readouterr()
    asked = ("--profile", tmp_path / "line.json", "--output", tmp_path / "out")
    assert call("watch", good, *QUICK, "--learn", *asked) == 2
    assert words in capfd.readouterr().err


def test_another_profile_in_the_same_folder_is_refused(
    call: Callable[..., int], profile: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = save(tmp_path / "in", {"0": part(700)})
    assert call("watch", stream, *QUICK, "--learn", "--profile", profile, "--output", tmp_path / "out") == 0
    other = save(tmp_path / "other", {f"{i:02d}": part(800 + i) for i in range(10)})
    made = ("--no-plot", "--no-self-test", "--quiet", "--output", tmp_path / "other.json")
    assert call("calibrate", other, "--fpr", "0.1", *made) == 0
    asked = ("--profile", tmp_path / "other.json", "--output", tmp_path / "out")
    assert call("watch", stream, *QUICK, "--learn", *asked) == 2
    assert "another profile's memory" in capfd.readouterr().err
