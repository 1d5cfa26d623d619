"""`results.jsonl` and `results.csv` of a watcher: they follow the journal, each row in them once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalyclip.detect.flat import csv_header, csv_line
from anomalyclip.detect.folder import HASHES, RESULTS, TABLE
from anomalyclip.detect.journal import LineFile
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.names import printable
from anomalyclip.watching.journal import Journal

_LAST = 1 << 20
"""Bytes at the end of a file among which its last row is looked for."""


class ResultFiles:
    """Brings both files in step with the journal when opened, and after every `flush`.

    A watcher that was killed may have written rows that the journal still holds as unwritten, the last of them cut. On
    opening such a tail, and nothing else, is taken back before the rows are written. A file that someone moved away
    (log rotation) is begun anew. Raises OutputError.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._journal = journal
        rows = [row for _, row in journal.outbox()]
        self._paths = {RESULTS: folder / RESULTS, TABLE: folder / TABLE}
        self._sizes: dict[str, int] = {name: journal.get(name) or 0 for name in self._paths}
        _take_back(self._paths[RESULTS], self._sizes[RESULTS], b"".join(rows))
        _take_back(self._paths[TABLE], self._sizes[TABLE], b"".join(map(_table_line, rows)))
        self.flush()

    def flush(self) -> None:
        """Append the rows that wait in the journal."""
        waiting = self._journal.outbox()
        if not waiting:
            return
        lines = {RESULTS: [row for _, row in waiting], TABLE: [_table_line(row) for _, row in waiting]}
        # Opened each time: whoever rotates the files may do so between any two rows.
        files = {name: LineFile(path) for name, path in self._paths.items()}
        try:
            if _size(self._paths[TABLE]) == 0:
                files[TABLE].append(csv_header())
            self._note_sizes()
            for name, file in files.items():
                file.append(b"".join(lines[name]))
        finally:
            for file in files.values():
                file.close()
        self._sizes = {name: _size(path) for name, path in self._paths.items()}
        self._journal.exported(waiting[-1][0], self._sizes)

    def _note_sizes(self) -> None:
        """Where the rows will begin, should they be cut: differs from what is noted only if others wrote or rotated."""
        sizes = {name: _size(path) for name, path in self._paths.items()}
        if sizes != self._sizes:
            self._journal.put(sizes)
            self._sizes = sizes


def refuse_other_model(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises ConfigError where the last row in a watch's folder was judged by other weights or prompts.

    settings: of the rows to come. A last line that is no row of ours says nothing.
    """
    before = _last_settings(folder / RESULTS)
    different = [key for key in HASHES if before.get(key, settings.get(key)) != settings.get(key)]
    if different:
        listed = "; ".join(
            f"{key} {str(before[key])[:12]}... then, {str(settings.get(key))[:12]}... now" for key in different
        )
        raise ConfigError(
            f"--output {printable(folder)} holds what another model, or another version of it, has judged: {listed}. "
            "Name another folder, where all pictures are judged anew, or give the model and prompts of before"
        )


def _last_settings(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, _size(path) - _LAST))
            row = json.loads(file.read().splitlines()[-1])
    except (OSError, ValueError, IndexError, RecursionError):
        return {}
    told = row.get("settings") if isinstance(row, dict) else None
    return told if isinstance(told, dict) else {}


def _take_back(path: Path, size: int, pending: bytes) -> None:
    """Cut the file back to `size` bytes if all that follows is a beginning of `pending`."""
    try:
        if not path.exists() or path.stat().st_size <= size:
            return
        with path.open("rb+") as file:
            file.seek(size)
            tail = file.read(len(pending) + 1)
            if pending.startswith(tail):
                file.truncate(size)
    except OSError as error:
        raise output_error(path, error) from error


def _table_line(row: bytes) -> bytes:
    try:
        return csv_line(json.loads(row))
    except ValueError as error:
        raise OutputError(f"the journal holds a damaged row ({error}); name another folder with --output") from error


def _size(path: Path) -> int:
    return path.stat().st_size
