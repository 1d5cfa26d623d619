"""Rows on stdout: a table for people, CSV or JSON lines for pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from anomalyclip.detect.flat import csv_header, csv_line
from anomalyclip.detect.journal import Row
from anomalyclip.detect.result import json_line
from anomalyclip.detect.summary import Summary
from anomalyclip.errors import OutputError
from anomalyclip.io.names import printable

FULL_ROWS = 50
"""Up to so many inputs the table lists all, in order; beyond, only the TOP_ROWS highest scores."""
TOP_ROWS = 20
_SHOWN_FAILURES = 10
_BAR = 20
_WIDE = 100
"""Columns from which a bar has all its cells."""
_GAP = 2
_STYLES = {"anomalous": "red", "normal": "green", "failed": "yellow"}


class RowPrinter:
    """Takes every row as it is made; memory stays bounded whatever their number."""

    def __init__(self, fmt: str, *, quiet: bool, outlives_pipe: bool = False, threshold: float | None = None) -> None:
        """outlives_pipe: go on without printing when the reader of stdout goes away (results are written elsewhere).

        threshold: marked on the scores' bars.
        """
        self.summary = Summary(keep=TOP_ROWS, keep_failures=_SHOWN_FAILURES)
        self._first: list[Row] = []
        self._fmt, self._quiet = fmt, quiet
        self._line: Callable[[Row], bytes] | None = {"csv": csv_line, "jsonl": json_line}.get(fmt)
        self._outlives_pipe, self._threshold = outlives_pipe, threshold
        if fmt == "csv":
            self._write(csv_header())

    def add(self, row: Row) -> None:
        """Count the row; CSV and JSON lines are printed at once."""
        brief = {key: row[key] for key in ("path", "score", "decision", "error")}
        self.summary.add(row, brief)
        if self._line is not None:
            self._write(self._line(row))
        elif self.summary.count <= FULL_ROWS:
            self._first.append(brief)

    def finish(self) -> None:
        """Print the table, if that is the format; where it is not shown, failures are told on stderr all the same."""
        if self._fmt != "table" or self._quiet or not self.summary.count:
            self._tell_failures()
            return
        from rich.console import Console

        console = Console(markup=False, emoji=False, highlight=False, width=_width())
        everything = self.summary.count <= FULL_ROWS
        title = None if everything else f"The {len(self.summary.top())} highest scores of {self.summary.scored:,}"
        rows = self._first if everything else self.summary.top()
        console.print(_table(rows, title, console.width, self._threshold))
        for line in self._failures():
            console.print(line, style=_STYLES["failed"], soft_wrap=True)
        if self.summary.first_note:
            path, note = self.summary.first_note
            several = (
                f" (and {self.summary.noted - 1} more with `notes` in their rows)" if self.summary.noted > 1 else ""
            )
            console.print(f"note: {printable(path)}: {printable(note)}{several}", style="yellow", soft_wrap=True)

    def _failures(self) -> list[str]:
        hidden = self.summary.failed - len(self.summary.failures)
        told = [f"failed: {printable(path)}: {printable(reason)}" for path, reason in self.summary.failures]
        return told + ([f"and {hidden} more failed"] if hidden else [])

    def _tell_failures(self) -> None:
        from anomalyclip.cli._console import note

        for line in self._failures():
            note(line, style=_STYLES["failed"])

    def _write(self, line: bytes) -> None:
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            if not self._outlives_pipe:
                raise
            self._line = None
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter's last flush would fail
        except OSError as error:
            raise OutputError(f"cannot write to the standard output: {error.strerror or error}") from error


def _width() -> int | None:
    """Of the terminal; 140 where stdout is none."""
    return None if sys.stdout.isatty() else 140


def _table(rows: list[Row], title: str | None, width: int, threshold: float | None) -> Any:
    from rich.table import Table
    from rich.text import Text

    cells = _BAR if width >= _WIDE else _BAR // 2
    room = width - cells - sum(len(word) for word in ("0.0000", "anomalous")) - 4 * _GAP
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("path", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("" if threshold is None else f"{_mark()} {threshold:.4g}"[:cells], no_wrap=True)
    verdicts = ["failed" if row["error"] else row["decision"] or "" for row in rows]
    table.add_column("decision" if any(verdicts) else "", no_wrap=True)  # without a threshold there is none
    for row, verdict in zip(rows, verdicts, strict=True):
        style = _STYLES.get(verdict, "")
        score = "" if row["score"] is None else f"{row['score']:.4f}"
        name, bar = Text(shortened(printable(row["path"]), room)), Text(bar_of(row["score"], threshold, cells))
        bar.stylize(style)
        table.add_row(name, score, bar, Text(verdict, style=style))
    return table


def shortened(name: str, room: int) -> str:
    """A name that fits: its middle goes first, as folders and endings tell files apart.

    >>> shortened("line-3/2026-11-28/part-000123.png", 23)
    'line-3/...rt-000123.png'
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(name) <= room:
        return name
    tail = 2 * (room - 3) // 3
    end = name[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return f"{set_cell_size(name, max(0, room - 3 - cell_len(end)))}...{end}"


def bar_of(score: float | None, threshold: float | None = None, cells: int = _BAR) -> str:
    """Cells for [0, 1], the threshold as a line across; plain ASCII where the terminal knows nothing else."""
    if score is None:
        return ""
    full, empty = ("█", "░") if _knows_unicode() else ("#", ".")
    filled = round(score * cells)
    bar = full * filled + empty * (cells - filled)
    if threshold is None or not 0 <= threshold <= 1:
        return bar
    at = min(cells - 1, int(threshold * cells))
    return bar[:at] + _mark() + bar[at + 1 :]


def _mark() -> str:
    return "┃" if _knows_unicode() else "|"


def _knows_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
