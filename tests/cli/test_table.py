"""Rows on stdout."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from rich.cells import cell_len

from anomalyclip.cli import _table
from anomalyclip.cli._table import FULL_ROWS, TOP_ROWS, RowPrinter, bar_of, shortened
from anomalyclip.errors import OutputError


def row(path: str, score: float | None = 0.5, error: str | None = None) -> dict[str, Any]:
    decision = None if score is None else "anomalous" if score >= 0.5 else "normal"
    return {"path": path, "width": 1, "height": 1, "score": score, "decision": decision, "regions": [], "error": error,
            "model": "m", "prompts": "p", "settings": {}}  # fmt: skip


def test_a_short_table_lists_all_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RowPrinter("table", quiet=False)
    for one in (row("low.png", 0.1), row("[red]high[/red].png", 0.987), row("bad\n.png", None, "cut off")):
        printer.add(one)
    printer.finish()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["low.png", "[red]high[/red].png", r"bad\n.png"]
    assert "0.9870" in lines[2]
    assert lines[2].count("█") == 20
    assert lines[1].rstrip().endswith("normal")
    assert lines[3].rstrip().endswith("failed")
    assert lines[4] == r"failed: bad\n.png: cut off"


def test_a_long_table_shows_the_highest(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RowPrinter("table", quiet=False)
    for i in range(FULL_ROWS + 1):
        printer.add(row(f"{i}.png", i / 100))
    printer.finish()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == f"The {TOP_ROWS} highest scores of {FULL_ROWS + 1}"
    assert [line.split()[0] for line in lines[2:]] == [f"{i}.png" for i in range(FULL_ROWS, FULL_ROWS - TOP_ROWS, -1)]


def test_memory_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RowPrinter("table", quiet=False)
    for i in range(5000):
        printer.add(row(f"{i}.png", 0.5, "bad"))
    assert len(printer._first) == FULL_ROWS
    assert len(printer.summary._heap) == TOP_ROWS
    printer.finish()
    assert "and 4990 more failed" in capsys.readouterr().out


def test_quiet_prints_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RowPrinter("table", quiet=True)
    printer.add(row("a.png"))
    printer.finish()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("fmt", "quiet"), [("table", True), ("csv", False), ("jsonl", True)])
def test_a_failure_is_always_told(capfd: pytest.CaptureFixture[str], fmt: str, quiet: bool) -> None:
    printer = RowPrinter(fmt, quiet=quiet)
    for one in (row("a.png"), row("cut.png", None, "cut off")):
        printer.add(one)
    printer.finish()
    assert capfd.readouterr().err == "failed: cut.png: cut off\n"


def test_json_lines_and_csv_hold_data_only(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for fmt in ("jsonl", "csv"):
        printer = RowPrinter(fmt, quiet=True)
        printer.add(row(os.fsdecode(b"caf\xe9.png")))
        printer.finish()
    lines = capfdbinary.readouterr().out.splitlines()
    assert os.fsencode(json.loads(lines[0])["path"]) == b"caf\xe9.png"
    assert lines[1].startswith(b"path,width,height,score")
    assert lines[2].startswith(rb"caf\udce9.png,1,1,0.5,,anomalous")
    assert len(lines) == 3


class _Stdout:
    def __init__(self, error: OSError) -> None:
        self.buffer, self.error = self, error

    def write(self, data: bytes) -> None:
        raise self.error


def test_a_full_disk_behind_stdout_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_table.sys, "stdout", _Stdout(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="standard output: No space left"):
        RowPrinter("csv", quiet=False)


def test_a_closed_pipe_ends_the_run_only_where_nothing_else_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_table.sys, "stdout", _Stdout(BrokenPipeError()))
    monkeypatch.setattr(_table.os, "dup2", lambda *_: None)
    with pytest.raises(BrokenPipeError):
        RowPrinter("csv", quiet=False)
    printer = RowPrinter("csv", quiet=False, outlives_pipe=True)
    printer.add(row("a.png"))
    assert printer.summary.count == 1


def test_plain_ascii_where_the_terminal_knows_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_table.sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert _table.bar_of(0.5) == "#" * 10 + "." * 10
    assert _table.bar_of(None) == ""


def test_the_bar_carries_the_threshold() -> None:
    assert bar_of(0.75, 0.5, 8) == "████┃█░░"
    assert bar_of(0.1, 1.0, 10) == "█░░░░░░░░┃"
    assert bar_of(0.25, None, 4) == "█░░░"
    assert bar_of(0.25, 1.000001, 4) == "█░░░", "nothing reaches it: no mark"
    assert bar_of(None, 0.5) == ""


@pytest.mark.parametrize("width", [80, 100])
def test_narrow_terminals_hold_names_and_decisions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(_table, "_width", lambda: width)
    printer = RowPrinter("table", quiet=False, threshold=0.5)
    paths = [f"/data/line-3/2026-11-28/station-{i}/" + "deep/" * 12 + f"part-{i:06d}.png" for i in range(3)]
    for path in [*paths, "部品/" * 20 + "検査.png"]:
        printer.add(row(path, 0.75))
    printer.finish()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(cell_len(line) <= width for line in lines)
    for i in range(3):
        assert lines[i + 1].startswith("/data/line")
        assert "..." in lines[i + 1]
        assert f"part-{i:06d}.png" in lines[i + 1]
        assert lines[i + 1].rstrip().endswith("anomalous")
    assert "検査.png" in lines[4]


def test_short_names_stay() -> None:
    assert shortened("a.png", 20) == "a.png"
    assert len(shortened("x" * 100, 30)) == 30
