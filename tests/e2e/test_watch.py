"""`anomalyclip watch` from call to files: folders, videos, profiles, commands, and calls that make no sense."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

Rows = Callable[[Path], list[dict[str, Any]]]
Watch = Callable[..., int]
NOTE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + chr(10)); sys.exit(int(sys.argv[3]))"


@pytest.fixture
def watch(small_model: list[str]) -> Watch:
    """watch("in", "--output", "out") runs it in this process with --once; gives the exit code."""
    from anomalyclip.cli import main

    def call(*args: object) -> int:
        quick = ("--once", "--interval", "0.02", "--settle", "0.05")
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with pytest.raises(SystemExit) as ended:
            main(["watch", *small_model, *quick, *map(str, args)])
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        return int(ended.value.code or 0)

    return call


def test_rows_are_those_of_detect_and_come_once(
    watch: Watch, detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, rows_of: Rows,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = photos(tmp_path / "in", 4)
    (folder / "bad.png").write_text("broken")
    options = (folder, "--threshold", "0.3", "--roi", "8,4,40,40")
    assert watch(*options, "--output", tmp_path / "watched", "--format", "jsonl") == 3
    printed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert detect(*options, "--quiet", "--output", tmp_path / "detected") == 3
    rows, expected = rows_of(tmp_path / "watched"), rows_of(tmp_path / "detected")
    assert sorted(printed, key=str) == sorted(rows, key=str)
    assert sorted(rows, key=str) == sorted(expected, key=str)
    assert list(rows[0]) == list(expected[0])
    anomalous = [row["path"] for row in rows if row["decision"] == "anomalous"]
    assert 0 < len(anomalous) < 4
    told = [json.loads(path.read_bytes()) for path in (tmp_path / "watched" / "evidence").glob("*/row.json")]
    assert sorted(one["path"] for one in told) == sorted(anomalous)
    assert watch(*options, "--output", tmp_path / "watched", "--format", "csv") == 0
    assert len(capfd.readouterr().out.splitlines()) == 1, "the header alone"
    assert rows_of(tmp_path / "watched") == rows


def test_a_video_goes_frame_by_frame_with_a_profile_and_a_command(
    watch: Watch, photos: Callable[..., Path], small_model: list[str], tmp_path: Path, rows_of: Rows
) -> None:
    from anomalyclip.cli import main

    normals = photos(tmp_path / "normals", 10)
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", *small_model, str(normals), "--fpr", "0.1", "--no-plot", "--quiet",
              "--output", str(tmp_path / "profile.json")])  # fmt: skip
    assert not ended.value.code
    writer = cv2.VideoWriter(str(tmp_path / "belt.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(9):
        writer.write(np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8) // (1 + i))
    writer.release()
    line = shlex.join([sys.executable, "-c", NOTE, str(tmp_path / "told"), "{path}", "0"])
    options = (
        tmp_path / "belt.avi",
        "--output",
        tmp_path / "out",
        "--every",
        2,
        "--profile",
        tmp_path / "profile.json",
    )
    assert watch(*options, "--command", line, "--quiet") == 0
    rows = rows_of(tmp_path / "out")
    assert [row["path"].rpartition("#")[2] for row in rows] == [f"frame={i}" for i in range(0, 9, 2)]
    scores = sorted(row["score"] for row in rows_in(tmp_path / "profile.json"))
    for row in rows:
        # The conformal p-value by its definition: how many of n + 1 are at least as high.
        expected = (1 + sum(score >= np.float32(row["score"]) for score in scores)) / (len(scores) + 1)
        assert row["p_value"] == pytest.approx(expected)
        assert (row["decision"] == "anomalous") == (row["score"] >= row["settings"]["threshold"])
    told = (tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []
    assert told == [row["path"] for row in rows if row["decision"] == "anomalous"]


def rows_in(profile: Path) -> list[dict[str, float]]:
    (one,) = json.loads(profile.read_bytes())["profiles"]
    return [{"score": np.float32(score)} for score in one["image"]["scores"]]


def test_a_command_that_fails_holds_nothing_up_and_is_tried_again_in_the_next_run(
    watch: Watch, photos: Callable[..., Path], tmp_path: Path, rows_of: Rows, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, told = photos(tmp_path / "in", 3), tmp_path / "told"
    options = (folder, "--output", tmp_path / "out", "--threshold", 0, "--quiet")
    failing, fine = (shlex.join([sys.executable, "-c", NOTE, str(told), "{path}", code]) for code in "70")
    assert watch(*options, "--command", failing) == 0
    assert len(rows_of(tmp_path / "out")) == 3
    errors = capfd.readouterr().err
    assert "ended with code 7; it will be tried again, scoring goes on" in errors
    assert "command: 3 messages wait for the next run" in " ".join(errors.split())
    assert len(set(told.read_text().splitlines())) == 3
    told.unlink()
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.queue import DeliveryQueue

    database = Database(tmp_path / "out")
    DeliveryQueue(database).hurry("command", 0.0)  # what a second or two would do
    database.close()
    assert watch(*options, "--command", fine) == 0
    assert sorted(told.read_text().splitlines()) == [str(folder / f"{i:04d}.png") for i in range(3)]
    assert len(rows_of(tmp_path / "out")) == 3


def test_results_that_cannot_be_written_end_the_run_and_lose_nothing(
    watch: Watch, photos: Callable[..., Path], tmp_path: Path, rows_of: Rows, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, output = photos(tmp_path / "in", 3), tmp_path / "out"
    (output / "results.csv").mkdir(parents=True)  # as good as a full disk: this file cannot be written
    (output / "journal.sqlite").touch()
    assert watch(folder, "--output", output) == 1
    assert "cannot write" in " ".join(capfd.readouterr().err.split())
    (output / "results.csv").rmdir()
    assert watch(folder, "--output", output) == 0
    assert sorted(Path(row["path"]).name for row in rows_of(output)) == ["0000.png", "0001.png", "0002.png"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["in", "--webhook", "http://127.0.0.1/"], "add --threshold or --profile"),
        (["in", "--threshold", "0.5", "--webhook", "smtp://x"], "--webhook 'smtp://x': expected an address"),
        (["in", "--threshold", "0.5", "--command", "run {nonsense}"], "unknown placeholder {nonsense}"),
        (["missing"], "No such file or directory"),
        (["in/0000.png.txt"], "cannot be opened as a video"),
        (["in", "--every", "2", "--fps", "1"], "give only one of them"),
        (["in", "--interval", "0"], "--interval 0 is out of range"),
        (["in", "--output", "used"], "is not empty and not from an earlier watch (it holds results.jsonl)"),
        (["in", "--output", "in"], "is not empty and not from an earlier watch (it holds 0000.png)"),
        (["in", "--profile", "none.json"], "no profile at none.json"),
    ],
)
def test_calls_that_cannot_be_used(
    watch: Watch, photos: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], args: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "in", 1)
    (tmp_path / "in" / "0000.png.txt").write_text("no video")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "results.jsonl").write_text("{}\n")
    output = () if "--output" in args else ("--output", "out")
    assert watch(*args, *output) == 2
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "out" / "results.jsonl").exists()
    assert {path.parent.name for path in tmp_path.rglob("journal.*")} <= {"out"}
    Image.open(tmp_path / "in" / "0000.png").close()
