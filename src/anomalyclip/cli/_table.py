"""Rows on stdout: a table for people, CSV or JSON lines for pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from anomalyclip.detect.journal import Row
from anomalyclip.detect.result import csv_header, csv_line, json_line
from anomalyclip.detect.summary import Summary
from anomalyclip.errors import OutputError
from anomalyclip.io.names import printable

FULL_ROWS = 50
"""Up to so many inputs the table lists all, in order; beyond, only the TOP_ROWS highest scores."""
TOP_ROWS = 20
_SHOWN_FAILURES = 10
_BAR = 20
_STYLES = {"anomalous": "red", "normal": "green", "failed": "yellow"}


class RowPrinter:
    """Takes every row as it is made; memory stays bounded whatever their number."""

    def __init__(self, fmt: str, *, quiet: bool, outlives_pipe: bool = False) -> None:
        """outlives_pipe: go on without printing when the reader of stdout goes away (results are written elsewhere)."""
        self.summary = Summary(keep=TOP_ROWS, keep_failures=_SHOWN_FAILURES)
        self._first: list[Row] = []
        self._fmt, self._quiet = fmt, quiet
        self._line: Callable[[Row], bytes] | None = {"csv": csv_line, "jsonl": json_line}.get(fmt)
        self._outlives_pipe = outlives_pipe
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

        console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
        everything = self.summary.count <= FULL_ROWS
        console.print(_table(self._first if everything else self.summary.top(), everything, self.summary))
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


def _table(rows: list[Row], everything: bool, summary: Summary) -> Any:
    from rich.table import Table
    from rich.text import Text

    title = None if everything else f"The {len(rows)} highest scores of {summary.scored:,}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("path", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    for row in rows:
        verdict = "failed" if row["error"] else row["decision"] or ""
        style = _STYLES.get(verdict, "")
        score = "" if row["score"] is None else f"{row['score']:.4f}"
        table.add_row(
            Text(printable(row["path"])), score, Text(_bar(row["score"]), style=style), Text(verdict, style=style)
        )
    return table


def _bar(score: float | None) -> str:
    """Twenty cells for [0, 1]; plain ASCII where the terminal knows nothing else."""
    if score is None:
        return ""
    full, empty = ("█", "░") if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else ("#", ".")
    filled = round(score * _BAR)
    return full * filled + empty * (_BAR - filled)
