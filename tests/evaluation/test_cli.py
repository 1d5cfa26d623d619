"""The real command end to end on tiny trees in MVTec AD's layout, with the small random CLIP."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from anomalyclip.cli import main
from anomalyclip.evaluation import METRICS

Tree = Callable[..., Path]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
FILES = {f"metrics.{form}" for form in ("json", "md", "tex")} | {
    "per_image.csv", "run.json", "classes.jsonl", "pixel_resamples.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def options(small_files: dict[str, Path]) -> list[str]:
    """What chooses the small CLIP."""
    chosen = ["--model", str(small_files["clip"]), "--image-size", "70", "--layers", "2,4,6", "--threads", "1"]
    return [*chosen, "--device", "cpu", "--offline", "--resamples", "50"]


@pytest.fixture(scope="module")
def command(options: list[str], small_files: dict[str, Path]) -> Callable[..., list[str]]:
    prompts = ["--prompts", str(small_files["prompts"])]
    return lambda *args: [sys.executable, "-m", "anomalyclip", "evaluate", *options, *prompts, *map(str, args)]


@pytest.fixture
def run(options: list[str], small_files: dict[str, Path]) -> Callable[..., int]:
    """run(data, ...) in this process, which saves seconds of imports; gives the exit code."""

    def call(*args: object, prompts: object = small_files["prompts"]) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *options, "--prompts", str(prompts), *map(str, args)])
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def data(tree: Tree, tmp_path: Path) -> Path:
    return tree(tmp_path / "data", {"bottle": (4, 5), "wood": (3, 3)})


def _read(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    with (folder / "per_image.csv").open(newline="", encoding="utf-8") as file:
        return json.loads((folder / "metrics.json").read_text("utf-8")), list(csv.DictReader(file))


def test_command_end_to_end(command: Callable[..., list[str]], data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = subprocess.run(
        command(data, "--output", out), env=ENVIRONMENT, capture_output=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert b"Traceback" not in ended.stderr
    told, rows = _read(out)
    table = ended.stdout.decode()
    for name in ("bottle", "wood"):
        mine = [row for row in rows if row["class"] == name]
        labels, scores = [int(row["label"]) for row in mine], [float(row["score"]) for row in mine]
        assert told["classes"][name]["image_auroc"] == pytest.approx(roc_auc_score(labels, scores))
        assert told["classes"][name]["image_ap"] == pytest.approx(average_precision_score(labels, scores))
        cells = next(line.split() for line in table.splitlines() if line.startswith(f"{name} "))
        assert cells[1:] == [f"{100 * told['classes'][name][metric]:.1f}" for metric in METRICS]
    for metric in METRICS:
        both = [told["classes"][name][metric] for name in ("bottle", "wood")]
        assert told["mean"][metric] == pytest.approx(np.mean(both))
    assert {path.name for path in out.iterdir()} == FILES | {"plots"}
    assert {path.name for path in (out / "plots").iterdir()} == {"roc.png", "pr.png", "scores.png", "maps.png"}


def test_bad_files_are_told_and_left_out(
    run: Callable[..., int], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "bottle/test/scratch/001.png").write_bytes(b"broken")
    Image.new("L", (60, 48), 0).save(data / "wood/ground_truth/scratch/000_mask.png")
    assert run(data, "--output", tmp_path / "out", "--no-plots") == 3
    told, rows = _read(tmp_path / "out")
    assert {row["image"]: bool(row["score"]) for row in rows if row["problem"]} == {
        "bottle/test/scratch/001.png": False,
        "wood/test/scratch/000.png": True,
    }
    assert all(told["classes"][name][metric] is not None for name in ("bottle", "wood") for metric in METRICS)
    assert told["classes"]["bottle"]["counts"]["scored"] == 8
    errors = capsys.readouterr().err
    assert "bottle/test/scratch/001.png" in errors
    assert "all black" in errors
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_only_anomalous_images_give_pixel_metrics_only(
    run: Callable[..., int], tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tree(tmp_path / "data", {"colon": (0, 3)}), "--format", "json", "--quiet") == 0
    told = json.loads(capsys.readouterr().out)
    assert [told["mean"][metric] is None for metric in METRICS] == [True] * 3 + [False] * 4
    assert "normal images" in told["classes"]["colon"]["undefined"]["image_auroc"]


@pytest.mark.parametrize(
    ("fmt", "start"), [("markdown", "data (test, 15 images)"), ("latex", "% data (test"), ("json", "{")]
)
def test_formats_on_stdout_are_whole_and_alone(
    fmt: str, start: str, run: Callable[..., int], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "--format", fmt) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(start)
    assert "images/s" not in captured.out
    assert "15 images" in captured.err


def test_hand_written_prompts_name_each_class(run: Callable[..., int], data: Path, tmp_path: Path) -> None:
    assert run(data, "-o", tmp_path / "named", "--no-plots", "-q", prompts="clip") == 0
    assert run(data, "-o", tmp_path / "object", "--no-plots", "-q", "--class-agnostic", prompts="clip") == 0
    (named, one), (agnostic, two) = _read(tmp_path / "named"), _read(tmp_path / "object")
    assert named["model"]["prompts"] == "clip:<class name>"
    assert agnostic["model"]["prompts"] == "clip:object"
    assert [row["score"] for row in one] != [row["score"] for row in two]


def test_kill_in_the_middle_then_again_or_resume(
    command: Callable[..., list[str]], run: Callable[..., int], tree: Tree, tmp_path: Path
) -> None:
    data = tree(tmp_path / "data", {f"class{n}": (6, 6) for n in range(12)})
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = subprocess.Popen(
        command(data, "-o", out, "--no-plots"), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    journal, deadline = out / "classes.jsonl", time.monotonic() + 300  # busy machines need minutes
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    # attempts.txt: which file was being read when the process died.
    assert {path.name for path in out.iterdir()} - {"attempts.txt"} == {"run.json", "classes.jsonl"}
    before = journal.read_bytes().rpartition(b"\n")[0]
    assert 2 <= before.count(b"\n") + 1 < 12
    assert run(data, "-o", whole, "--no-plots", "-q") == 0
    assert run(data, "-o", out, "--no-plots", "-q", "--resume") == 0
    assert journal.read_bytes().startswith(before)
    (told, rows), (expected, others) = _read(out), _read(whole)
    for row, other in zip(rows, others, strict=True):
        assert float(row["score"]) == pytest.approx(float(other["score"]), abs=1e-5)
        assert row["image"] == other["image"]
    for name, one in told["classes"].items():
        assert one["counts"] == expected["classes"][name]["counts"]
        assert one["aupro"] == pytest.approx(expected["classes"][name]["aupro"], abs=1e-4)
    (out / "metrics.json").unlink()  # as if killed at the last moment: the same command starts afresh
    assert run(data, "-o", out, "--no-plots", "-q") == 0
    assert [row["image"] for row in _read(out)[1]] == [row["image"] for row in others]
    assert not list(out.glob("*.tmp"))


def test_resume_notices_changed_data(
    run: Callable[..., int], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(data, "-o", out, "--no-plots", "-q") == 0
    Image.new("RGB", (60, 48)).save(data / "bottle/test/good/000.png")
    assert run(data, "-o", out, "--no-plots", "-q", "--resume") == 2
    assert "made differently" in capsys.readouterr().err
    assert (out / "metrics.json").exists()
    assert run(data, "-o", out, "--no-plots", "-q") == 2
    assert run(data, "-o", out, "--no-plots", "-q", "--overwrite") == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--fpr-limit", "2"], "--fpr-limit 2 is out of range"),
        (["--resamples", "-1"], "resamples -1"),
        (["--resume"], "add --output DIR"),
        (["--plots"], "add --output DIR"),
        (["--split", "validation"], "validation"),
        (["--prompts", "no-such-prompts"], "no-such-prompts"),
        (["--resolution", "half"], "native"),
        (["--workers", "0"], "--workers 0 is out of range"),
    ],
)
def test_wrong_calls_end_with_2_and_say_what_is_wrong(
    args: list[str], said: str, run: Callable[..., int], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_no_data_is_an_error_before_a_model_is_loaded(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "nowhere", prompts="no-such-prompts") == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a terminal of its own")
def test_eighty_columns_hold_classes_and_metrics_and_no_file_tells_where_the_package_lies(
    tree: Tree, tmp_path: Path
) -> None:
    """With the embedded model and its own prompts, whose file lies in the package, in a real terminal."""
    import anomalyclip

    names = {"transmission_housing_left": (2, 2), "cable": (2, 2)}
    data, output = tree(tmp_path / "data", names), tmp_path / "out"
    call = [sys.executable, "-m", "anomalyclip", "evaluate", str(data), "--output", str(output), "--resamples", "20"]
    code, shown = _in_a_terminal(call, columns=80)
    assert code == 0, shown
    lines = shown.splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:1] == ["class"])
    table = [line.rstrip() for line in lines[head:] if line.strip()]
    assert max(map(len, table)) <= 80
    cells = [line.split() for line in table]
    for name in ("cable", "mean"):
        [row] = [row for row in cells if row[0] == name]
        assert len(row) == 1 + len(METRICS), row
    folded = "".join(row[0] for row in cells[1:])
    assert "transmission_housing_left" in folded
    package = str(Path(anomalyclip.__file__).parent)
    told = {path.name: path.read_text("utf-8") for path in output.iterdir() if path.suffix in (".md", ".tex", ".json")}
    assert {"metrics.md", "metrics.tex", "metrics.json", "run.json"} <= told.keys()
    assert [name for name, text in told.items() if package in text] == []
    assert json.loads(told["metrics.json"])["model"]["prompts"] == "pocket-heads"


def _in_a_terminal(call: list[str], columns: int) -> tuple[int, str]:
    """(exit code, what a terminal of so many columns shows of stdout)."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        call, stdout=theirs, stderr=subprocess.DEVNULL, stdin=theirs, env=environment | {"TERM": "dumb"}
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # Linux says so that the other end is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    return process.returncode, b"".join(parts).decode()
