"""`detect --mutual`: rows say which batch they depend on, a resume is of the same batch, and a kill costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COUNT = 12
Rows = Callable[[Path], list[dict[str, Any]]]


def _scores(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {Path(row["path"]).name: row["score"] for row in rows if row["error"] is None}


@pytest.fixture
def folder(photos: Callable[..., Path], tmp_path: Path) -> Path:
    made = photos(tmp_path / "in", COUNT)
    (made / "0003.png").write_text("broken")
    return made


def test_rows_depend_on_the_batch_and_say_so(
    detect: Callable[..., int], folder: Path, tmp_path: Path, rows_of: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert detect(folder, "--mutual", "-o", out) == 3
    said = capsys.readouterr().err
    assert "Scores depend on this batch: 11 pictures" in said
    assert f"; report: {out / 'report.html'}; groups: {out / 'groups.html'}" in said
    rows = rows_of(out)
    batches = [row["settings"]["batch"] for row in rows]
    assert all(batch == batches[0] for batch in batches)
    assert batches[0]["pictures"] == 11  # the broken one does not count
    assert [row["path"].endswith("0003.png") for row in rows] == [row["error"] is not None for row in rows]
    assert all(row["p_value"] is None for row in rows)
    assert not (out / "batch").exists()
    odd = [row for row in rows if any(note.startswith("odd, ") for note in row["notes"])]
    assert {row["path"] for row in odd} == {row["path"] for row in rows if (row["score"] or 0) >= 0.5}
    assert f"<title>{len(odd)} odd picture" in (out / "groups.html").read_text("utf-8")
    scores = _scores(rows)

    (folder / "0000.png").rename(folder / "zz.png")  # another order of the same pictures
    assert detect(folder, "--mutual", "-o", out, "--overwrite", "-q") == 3
    again = rows_of(out)
    assert again[0]["settings"]["batch"]["sha256"] == batches[0]["sha256"]
    assert _scores(again) == pytest.approx(
        {("zz.png" if name == "0000.png" else name): score for name, score in scores.items()}, abs=1e-4
    )

    (folder / "zz.png").unlink()
    assert detect(folder, "--mutual", "-o", out, "--resume") == 2
    assert "not the 10 that are here now" in capsys.readouterr().err
    assert rows_of(out) == again


def test_killed_in_the_middle_and_resumed_each_picture_comes_once(
    command: Callable[..., list[str]], detect: Callable[..., int], folder: Path, tmp_path: Path, rows_of: Rows
) -> None:
    whole, killed, temporary = tmp_path / "whole", tmp_path / "killed", tmp_path / "temporary"
    temporary.mkdir()
    arguments = command(folder, "--mutual", "-o", killed)
    for watched, wanted in ((killed / "batch", 4), (killed / "results.jsonl", 2)):
        process = subprocess.Popen(
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        deadline = time.monotonic() + 200
        while _progress(watched) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        arguments = command(folder, "--mutual", "-o", killed, "--resume")
    assert detect(folder, "--mutual", "-o", killed, "--resume", "-q") == 3
    assert detect(folder, "--mutual", "-o", whole, "-q") == 3
    rows, expected = rows_of(killed), rows_of(whole)
    assert [row["path"] for row in rows] == [row["path"] for row in expected]
    assert _scores(rows) == pytest.approx(_scores(expected), abs=1e-4)
    assert not list(killed.rglob("*.tmp"))
    assert not list(temporary.glob("anomalyclip*")), "what was seen lay in the folder"
    assert not (killed / "batch").exists()


def _progress(path: Path) -> int:
    if path.is_dir():
        return len(list(path.rglob("*.f4")))
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_finished_run_is_not_compared_again(
    detect: Callable[..., int], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "0003.png").unlink()
    out = tmp_path / "out"
    assert detect(folder, "--mutual", "-o", out, "-q") == 0
    monkeypatch.setattr("anomalyclip.mutual.scoring.score_batch", None)
    assert detect(folder, "--mutual", "-o", out, "--resume", "-q") == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tile", "64"], "leave --tile and --scales out"),
        (["--partners", "2"], "--partners 2 is out of range"),
    ],
)
def test_what_does_not_go_together_is_refused(
    detect: Callable[..., int], folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert detect(folder, "--mutual", *options) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_too_few_different_pictures_are_refused(
    detect: Callable[..., int], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    for i in range(6):
        shutil.copy(folder / "0000.png", folder / f"copy{i}.png")
    assert detect(folder, "--mutual") == 2
    assert "takes 5 that differ; here are 1 of 7" in " ".join(capsys.readouterr().err.split())


def test_another_batch_gives_other_scores_and_the_record_tells_them_apart(
    detect: Callable[..., int], folder: Path, tmp_path: Path, rows_of: Rows
) -> None:
    outs = []
    for number in range(2):
        out = tmp_path / f"out{number}"
        assert detect(folder, "--mutual", "-o", out, "-q") == 3
        outs.append(rows_of(out))
        (folder / "0011.png").unlink(missing_ok=True)
    assert json.loads((tmp_path / "out0" / "batch.json").read_text())["pictures"] == 11
    one, other = (rows[0]["settings"]["batch"]["sha256"] for rows in outs)
    assert one != other
    assert _scores(outs[0])["0000.png"] != _scores(outs[1])["0000.png"]
