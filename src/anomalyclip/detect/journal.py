"""`results.jsonl` as a journal: appended line by line, repaired and compacted in place, read in a stream.

It is the one source of truth of an output folder; `results.csv` and `report.html` are made from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import atomic_write, output_error

Row = dict[str, Any]


class LineFile:
    """A file that grows by whole lines.

    Each line goes out in one unbuffered write, so a killed process loses at most the line being written, and a line
    that only half fitted on a full disk is taken back. One that was cut ends where it is, so that the next, whole line
    is not lost with it. Raises OutputError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("ab", buffering=0)
            self._size = self._file.seek(0, os.SEEK_END) if self._file.seekable() else 0
            cut = self._size > 0 and not _ends_a_line(path)
        except OSError as error:
            raise output_error(path, error) from error
        if cut:
            self.append(b"\n")

    def append(self, line: bytes) -> None:
        try:
            written = self._file.write(line)
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._size)
            raise _kept(self.path, error) from error
        self._size += len(line)

    def close(self) -> None:
        self._file.close()


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """(byte offset, row) of every complete, readable line; a cut or damaged line is passed over."""
    for offset, row in _lines(path):
        if row is not None:
            yield offset, row


def row_at(file: IO[bytes], offset: int) -> Row:
    """The row that `read_rows` found at this offset."""
    file.seek(offset)
    row = _parse(file.readline())
    if row is None:
        raise OutputError(f"{file.name}: changed while it was being read.")
    return row


def compact(path: Path, key_of: Callable[[Row], bytes | None]) -> None:
    """Leave one row per key: the last one written, at the place of the first; no damaged line and none without a key.

    Keeps a few dozen bytes per row in memory. The file is replaced in one step, and only where something changes.
    """
    last: dict[bytes, int] = {}
    clean = True
    for offset, row in _lines(path):
        key = key_of(row) if row is not None else None
        clean = clean and key is not None and key not in last
        if key is not None:
            last[key] = offset
    if clean:
        return
    with atomic_write(path) as aside, aside.open("wb") as target, path.open("rb") as source:
        for _, row in _lines(path):
            key = key_of(row) if row is not None else None
            if key is not None and key in last:
                source.seek(last.pop(key))
                target.write(source.readline())


def _lines(path: Path) -> Iterator[tuple[int, Row | None]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        offset = 0
        for line in file:
            yield offset, _parse(line)
            offset += len(line)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _kept(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{output_error(path, error)}. All rows before are kept: then run again with --resume")


def _parse(line: bytes) -> Row | None:
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
