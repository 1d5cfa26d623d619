"""The ring buffer of evidence: the pictures of the latest anomalies, never more than a given number and size.

evidence/TIME-NAME-KEY/   image.png: what was scored; overlay.png: its heat map; row.json: its row, without the model

What a full disk does not take waits (`room`), and is written as soon as there is room, by the next watch at the latest.
"""

from __future__ import annotations

import errno
import json
import re
import secrets
import shutil
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from anomalyclip.detect.artifacts import draw_finished
from anomalyclip.detect.pipeline import Finished
from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.room import ROOM, Evidence, Waiting

EVIDENCE = "evidence"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OURS = re.compile(r"\.?\d{8}T\d{6}\.\d{3}Z-.*-[0-9a-f]{8}(\.tmp)?", re.DOTALL)


@dataclass(frozen=True)
class Bounds:
    """What the ring may hold. count: anomalies, 0 for none at all. size: bytes of all their files together."""

    count: int = 1000
    size: int = 10**9


class EvidenceRing:
    """A `Sink` of `detect_stream` for the anomalous images, and the bookkeeping that keeps it within its bounds.

    The sink writes a folder as a whole or not at all; `keep` enters it in the journal and drops the oldest ones.
    Folders that the journal does not know (a watcher killed in between) are swept when the ring is opened.
    """

    def __init__(
        self, folder: Path, journal: Journal, bounds: Bounds, thresholds: tuple[float | None, float | None]
    ) -> None:
        """thresholds: of scores and of regions, for overlays."""
        self.path = folder / EVIDENCE
        self._journal, self._bounds, self.thresholds = journal, bounds, thresholds
        self._written: dict[bytes, str] = {}
        self._missed: dict[bytes, Evidence] = {}  # of images that are not settled yet
        self._guard = threading.Lock()
        try:
            self.path.mkdir(exist_ok=True)
            self._sweep()
        except OSError as error:
            raise output_error(self.path, error) from error
        self._kept = deque(journal.evidence())
        self._bytes = sum(size for _, size in self._kept)
        self._bound()
        self.waiting = Waiting(folder / ROOM if bounds.count else None)  # for room
        self.retry()

    def __call__(self, finished: Finished) -> None:
        """Write the evidence of one image, if it is anomalous. Called from several threads.

        Raises OutputError, also where it has to wait for room.
        """
        result = finished.result
        if result.decision != "anomalous" or self._bounds.count < 1:
            return
        made = Evidence(result.item.key, _folder_name(result.item.name), _files_of(finished, self.thresholds))
        try:
            self._write(made)
        except OSError as error:
            told = output_error(self.path / made.name, error)
            if error.errno not in _NO_ROOM:
                raise told from error
            with self._guard:
                self._missed[made.key] = made
            raise OutputError(f"{told}; it is written as soon as there is room") from error
        with self._guard:
            self._written[made.key] = made.name

    def _write(self, made: Evidence) -> None:
        aside = self.path / f".{made.name}.tmp"
        try:
            aside.mkdir()
            for name, data in made.files.items():
                (aside / name).write_bytes(data)
            aside.rename(self.path / made.name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def retry(self) -> int:
        """Write what waits for room, the oldest first; how much is left. On the thread that calls `keep`.

        Raises OutputError where the journal cannot be written.
        """
        while self.waiting:
            made = self.waiting.first
            if all(name != made.name for name, _ in self._kept):  # a kill may have come before `done`
                try:
                    self._write(made)
                except OSError:
                    break
                self._enter(made.name)
            self.waiting.done()
        return len(self.waiting)

    def keep(self, key: bytes) -> Path | None:
        """Enter what the sink wrote for this image; gives its folder, or None without one (it may be the next to go).

        Raises OutputError.
        """
        with self._guard:
            name = self._written.pop(key, None)
            missed = self._missed.pop(key, None)
        if missed is not None:
            self.waiting.add(missed)
        if name is None:
            return None
        self._enter(name)
        return self.path / name if self._kept else None

    def close(self) -> tuple[int, int]:
        """Once more what waits; how many are left for the next watch, and how many are lost. Raises OutputError."""
        left, kept = self.retry(), self.waiting.kept
        self.waiting.close()
        return kept, left - kept

    def _enter(self, name: str) -> None:
        size = _bytes_below(self.path / name)
        self._journal.keep_evidence(name, size)
        self._kept.append((name, size))
        self._bytes += size
        self._bound()

    def discard(self, key: bytes) -> None:
        """Remove what the sink wrote, or would have, for an image that does not count."""
        with self._guard:
            name = self._written.pop(key, None)
            self._missed.pop(key, None)
        self.waiting.drop(key)
        if name is not None:
            _remove(self.path / name)

    def _bound(self) -> None:
        while len(self._kept) > self._bounds.count or self._bytes > self._bounds.size:
            name, size = self._kept.popleft()
            self._bytes -= size
            with suppress(FileNotFoundError):  # cleared away by hand
                _remove(self.path / name)
            self._journal.drop_evidence(name)

    def _sweep(self) -> None:
        known = {name for name, _ in self._journal.evidence()}
        for entry in self.path.iterdir():
            if entry.name not in known and _OURS.fullmatch(entry.name) and entry.is_dir():
                _remove(entry)


def _files_of(finished: Finished, thresholds: tuple[float | None, float | None]) -> dict[str, bytes]:
    from anomalyclip.io.pictures import png_bytes

    result = finished.result
    said = {"path": result.item.path, "score": result.score, "regions": result.regions}
    return {
        "image.png": png_bytes(finished.original()),
        "overlay.png": png_bytes(draw_finished(finished, *thresholds)),
        "row.json": json.dumps(said, indent=2).encode(),
    }


def _folder_name(name: str) -> str:
    now = datetime.now(timezone.utc)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[-60:].lstrip(".") or "image"
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{stem}-{secrets.token_hex(4)}"


def _bytes_below(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError as error:
        raise output_error(folder, error) from error


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutputError(f"cannot remove old evidence {folder}: {error.strerror or error}; check its owner") from error
