"""Where results go: stdout for pipes, folders that cannot be written, files that cannot."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.io import read_map

Rows = Callable[[Path], list[dict[str, Any]]]


def test_stdout_holds_only_data(detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path,
                                capfdbinary: pytest.CaptureFixture[bytes]) -> None:  # fmt: skip
    folder = photos(tmp_path / "in", 3)
    assert detect(folder, "--format", "jsonl", "--pixel-threshold", "0.5") == 0
    captured = capfdbinary.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [Path(r["path"]).name for r in rows] == ["0000.png", "0001.png", "0002.png"]
    assert all(r["decision"] is None for r in rows), "no threshold, no decision"
    assert b"3 images" in captured.err
    assert detect(folder, "--format", "csv", "--quiet") == 0
    captured = capfdbinary.readouterr()
    table = list(csv.DictReader(io.StringIO(captured.out.decode())))
    assert [c["score"] for c in table] == [repr(r["score"]) for r in rows]
    assert captured.err == b""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"], "nothing is written without --output"


def test_files_only_where_asked_for(
    detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, rows_of: Rows
) -> None:
    folder, out = photos(tmp_path / "in", 2), tmp_path / "out"
    assert detect(folder, "--output", out, "--no-overlay", "--no-report", "--maps", "npz", "--batch-size", "2") == 0
    assert {p.name for p in out.iterdir()} == {
        "maps",
        "results.csv",
        "results.jsonl",
        "run.json",
        "cards.jsonl",
        "files.jsonl",
    }
    assert read_map(out / "maps/0000.npz").shape == (48, 64)
    first = rows_of(out)
    assert detect(folder, "--output", out, "--overwrite", "--maps", "none", "--quiet") == 0
    assert {p.name for p in (out / "overlays").iterdir()} == {"0000.png", "0001.png"}
    assert list((out / "maps").iterdir()) == []
    assert [r["score"] for r in rows_of(out)] == pytest.approx([r["score"] for r in first], abs=1e-5)


def test_the_output_folder_inside_the_input_folder_is_no_input(
    detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, rows_of: Rows
) -> None:
    folder = photos(tmp_path / "in", 2)
    assert detect(folder, "--recursive", "--output", folder / "out") == 0
    assert detect(folder, "--recursive", "--output", folder / "out", "--resume") == 0
    assert len(rows_of(folder / "out")) == 2
    assert detect(folder, "--recursive", "--output", folder, "--overwrite") == 0
    assert len(rows_of(folder)) == 2
    assert (folder / "0000.png").exists()


def test_a_file_in_place_of_the_folder(detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (tmp_path / "out").write_text("keep me")
    assert detect(photos(tmp_path / "in", 1), "--output", tmp_path / "out") == 1
    assert "name a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "keep me"


def test_pictures_that_cannot_be_written_keep_their_scores_and_are_mended_later(
    detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, rows_of: Rows
) -> None:
    folder, out = photos(tmp_path / "in", 2), tmp_path / "out"
    (out / "overlays/0000.png").mkdir(parents=True)
    assert detect(folder, "--output", out, "--overwrite") == 3
    rows = rows_of(out)
    assert [r["error"] is None for r in rows] == [False, True]
    assert "overlays/0000.png" in rows[0]["error"]
    assert rows[0]["score"] is not None
    (out / "overlays/0000.png").rmdir()
    assert detect(folder, "--output", out, "--resume") == 0
    assert [r["error"] for r in rows_of(out)] == [None, None]


def test_a_full_disk_behind_stdout(
    command: Callable[..., list[str]], photos: Callable[..., Path], tmp_path: Path
) -> None:
    args = command(photos(tmp_path / "in", 1), "--format", "csv")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(args, stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
    assert done.returncode == 1
    assert b"cannot write to the standard output" in done.stderr
    assert b"Traceback" not in done.stderr
