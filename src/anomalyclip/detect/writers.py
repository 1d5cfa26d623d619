"""Results -> `results.jsonl`, `results.csv` and the report's cards, row by row, safe against interruption."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from anomalyclip.detect import folder
from anomalyclip.detect.flat import csv_header, csv_line
from anomalyclip.detect.identity import Identity
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.journal import LineFile, Row, compact, read_rows
from anomalyclip.detect.names import NameRegistry, file_of, frame_key, path_key
from anomalyclip.detect.result import Provenance, Result, is_row, json_line, to_row
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import atomic_write, write_bytes
from anomalyclip.io.depth import guessed_white

Mode = Literal["new", "resume", "overwrite"]

MAX_CARDS = 5000
"""So many images at most, the highest scores, carry thumbnails in the report (about 20 kB each)."""


class OutputFolder:
    """Takes results one by one and keeps the folder usable at every moment, even after kill -9.

    The constructor checks and creates the folder (cheap: before a model is loaded), `begin` starts or continues the
    run, `append` adds one result; leaving the `with` block brings both tables in step. Raises OutputError where the
    folder cannot be used or written, ConfigError where it is in use by other results or --resume does not fit them.
    """

    def __init__(self, path: Path, mode: Mode = "new") -> None:
        self.path, self.mode = path, mode
        self.names = NameRegistry()
        self.notes: tuple[str, ...] = ()  # of a row that an earlier run left, which tell its guessed scale
        self.replaced = 0  # inputs whose file is no longer the one that was scored, so far
        self._done: dict[bytes, bytes] = {}  # the packed identity of the file, b"" where none was recorded
        self._again: set[bytes] = set()  # what has a row and is scored again: it failed, or its file was replaced
        self._top = _TopScores(MAX_CARDS)
        self._stale = False  # results.csv may lag behind results.jsonl, or rows were tried again
        folder.create(path)
        self._lock = folder.FolderLock(path)
        if mode == "new":
            try:
                folder.refuse_used(path)
            except ConfigError:
                self._lock.close()
                raise

    def begin(
        self,
        provenance: Provenance,
        *,
        files: Mapping[str, Any],
        cwd: str | None,
        passed_over: Mapping[str, Any] | None = None,
    ) -> None:
        """Start or continue the run.

        files: which files are written (compared on resume, as the provenance is). cwd: the folder that relative paths
        count from; None where all inputs are absolute. passed_over: `PassedOver.record`, for run.json.
        """
        self.provenance, self.cwd = provenance, cwd
        run: dict[str, Any] = {
            "model": provenance.model,
            "prompts": provenance.prompts,
            "settings": dict(provenance.settings),
        }
        run |= {"files": dict(files), "cwd": cwd, folder.PASSED: dict(passed_over or {})}
        text = json.dumps(run, indent=2).encode("utf-8", "backslashreplace") + b"\n"
        used = any(self.path.iterdir())
        if self.mode == "resume" and used:
            folder.compare_run(self.path, run)
            self._take(text)
            self._restore()
        else:
            self._take(text, clear=self.mode == "overwrite")
        self._write_table()
        names = (folder.CARDS, folder.RESULTS, folder.TABLE, folder.FILES)
        self._files = [LineFile(self.path / name) for name in names]

    def set_batch(self, provenance: Provenance, record: Mapping[str, Any]) -> None:
        """Say which pictures scores depend on, in every row from here on; after :meth:`begin`.

        Raises ConfigError where an earlier run in the folder compared others.
        """
        folder.check_same_batch(self.path, record)
        write_bytes(self.path / folder.BATCH, json.dumps(dict(record), indent=2).encode() + b"\n")
        self.provenance = provenance

    def is_done(self, item: InputItem) -> bool:
        """Whether an earlier run left this input's result, without an error, and its file still holds what was scored.

        A file whose size or times differ is read to compare its content.
        """
        packed = self._done.get(item.key)
        if packed and not Identity.unpacked(packed).still_of(item.file):
            del self._done[item.key]
            self._again.add(item.key)
            self.replaced += 1
            return False
        return packed is not None

    @property
    def done_count(self) -> int:
        return len(self._done)

    def append(self, result: Result) -> Row:
        """Write one result; returns its row."""
        row = to_row(result, self.provenance)
        stale = self._stale or result.item.key in self._again
        self._stale = True
        # The file's identity comes last: should this be the last line ever, the file is scored again, not taken for it.
        lines = (self._card(result), json_line(row), csv_line(row), _file_line(result))
        for file, line in zip(self._files, lines, strict=True):
            if line:
                file.append(line)
        self._stale = stale
        return row

    def close(self) -> None:
        """Bring both tables in step: one row per input, the newest."""
        for file in self._files:
            file.close()
        if self._stale:
            compact(self.path / folder.RESULTS, self.key_of)
            compact(self.path / folder.FILES, file_key)
            self._write_table()
        self._lock.close()

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            with suppress(OutputError):  # the disk that failed the run fails here too; the first error says it
                self.close()

    def key_of(self, row: Row) -> bytes | None:
        """The input's key of a row read back; None for a row that is not one of ours."""
        return self._key(row) if is_row(row) else None

    def _key(self, row: Row) -> bytes:
        frame = row.get("frame")
        key = path_key(file_of(row["path"], frame), cwd=self.cwd)
        return key if frame is None else frame_key(key, frame)

    def _take(self, run: bytes, *, clear: bool = False) -> None:
        if clear:
            folder.clear(self.path)
        folder.sweep(self.path)
        write_bytes(self.path / folder.RUN, run)

    def _restore(self) -> None:
        compact(self.path / folder.RESULTS, self.key_of)
        compact(self.path / folder.CARDS, card_key)
        for _, card in read_rows(self.path / folder.CARDS):
            self.names.restore(str(card["name"]), bytes.fromhex(card["key"]))
        known = self._identities()
        for _, row in read_rows(self.path / folder.RESULTS):
            key = self._key(row)
            # Older runs recorded no files. Where they are recorded, one without did not hold still while it was read.
            if row["error"] is None and (key in known or not known):
                self._done[key] = known.get(key, b"")
            else:
                self._again.add(key)
            if row["score"] is not None:
                self._top.enters(row["score"])
                if guessed_white(row.get("notes") or ()) is not None:
                    self.notes = self.notes or tuple(row["notes"])

    def _identities(self) -> dict[bytes, bytes]:
        compact(self.path / folder.FILES, file_key)
        found = {}
        for _, row in read_rows(self.path / folder.FILES):
            with suppress(KeyError, TypeError, ValueError):
                found[bytes.fromhex(row["key"])] = Identity.recorded(row).packed()
        return found

    def _card(self, result: Result) -> bytes:
        card: Row = {"key": result.item.key.hex(), "name": result.item.name}
        if result.thumbnails is not None and self._top.enters(result.score or 0.0):
            shown = result.thumbnails
            card |= {"image": shown.image, "heat": shown.heat}
            card |= {"pairs": [asdict(pair) for pair in shown.pairs]} if shown.pairs else {}
        return json_line(card)

    def _write_table(self) -> None:
        with atomic_write(self.path / folder.TABLE) as aside, aside.open("wb") as file:
            file.write(csv_header())
            file.writelines(csv_line(row) for _, row in read_rows(self.path / folder.RESULTS))


def card_key(card: Row) -> bytes | None:
    """The key of a line of `cards.jsonl`; None for a line that is not one of ours."""
    pairs = card.get("pairs", [])
    if not (isinstance(pairs, list) and all(isinstance(pair, dict) for pair in pairs)):
        return None
    texts = [card.get("key"), card.get("name"), *(card[name] for name in ("image", "heat") if name in card)]
    texts += [pair.get(name) for pair in pairs for name in ("own", "good", "words")]
    try:
        for text in texts:
            os.fsencode(text)  # TypeError where it is no text, UnicodeEncodeError where no disk has such a name
        return bytes.fromhex(card["key"])
    except (TypeError, ValueError):
        return None


def file_key(row: Row) -> bytes | None:
    """The key of a line of `files.jsonl`; None for a line that is not one of ours."""
    return card_key({**row, "name": ""})


def _file_line(result: Result) -> bytes:
    if result.identity is None:
        return b""
    return json_line({"key": result.item.key.hex(), **result.identity.record()})


class _TopScores:
    """Whether a score belongs to the highest seen so far: decides whose thumbnails are worth keeping."""

    def __init__(self, size: int) -> None:
        self._size, self._heap = size, list[float]()

    def enters(self, score: float) -> bool:
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, score)
            return True
        return heapq.heappushpop(self._heap, score) < score
