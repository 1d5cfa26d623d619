"""What `anomalyclip watch` finds, as it finds it: the last rows of its output folder, and every new one."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from anomalyclip.detect.folder import RESULTS
from anomalyclip.serve.refusals import Refused
from anomalyclip.watching.evidence import EVIDENCE

LAST = 50
"""Rows that whoever begins to look is shown."""
MOST_LOOKERS = 16
_TAIL = 2**20  # bytes of the file's end that are looked at for the last rows
_PAUSE = 0.5  # seconds between two looks at the file
_BEAT = 10.0  # seconds of silence after which a comment keeps the connection open
_TOLD = ("path", "width", "height", "score", "p_value", "decision", "error", "frame")


class Live:
    """Follows the output folder of one watch, for as many clients as look.

    going: whether the server takes no more requests; streams end then.
    """

    def __init__(self, folder: Path, going: Callable[[], bool]) -> None:
        self.folder = folder
        self._going = going
        self._lookers = 0
        self._overlays: dict[str, Path] = {}
        self._known: set[str] = set()

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events: a `row` for each of the last :data:`LAST` rows and for every new one.

        Raises Refused (429) where too many look already.
        """
        if self._lookers >= MOST_LOOKERS:
            raise Refused("busy", f"{MOST_LOOKERS} clients look already", retry_after=_BEAT)
        self._lookers += 1
        try:
            place, silent = None, 0.0
            yield b": watching\n\n"
            while not self._going():
                rows, place = await run_in_threadpool(self._new, place)
                for row in rows:
                    yield b"event: row\ndata: " + json.dumps(row).encode() + b"\n\n"
                silent = 0.0 if rows else silent + _PAUSE
                if silent >= _BEAT:
                    silent = 0.0
                    yield b": still watching\n\n"
                await asyncio.sleep(_PAUSE)
        finally:
            self._lookers -= 1

    def overlay(self, name: str) -> bytes:
        """The picture of an anomaly under its heat map, a PNG. name: as its row tells. Raises Refused (404)."""
        found = self.folder / EVIDENCE / name / "overlay.png"
        with suppress(OSError):
            if Path(name).name == name and name not in (".", ".."):
                return found.read_bytes()
        raise Refused("not_found", "that picture is not kept any more")

    def _new(self, place: int | None) -> tuple[list[dict[str, Any]], int]:
        """Rows that were written from byte `place` on, whole lines only, and where the next begin. None: the last."""
        try:
            with (self.folder / RESULTS).open("rb") as file:
                size = file.seek(0, 2)
                start = max(0, size - _TAIL) if place is None else place if place <= size else 0  # rotated: anew
                file.seek(start)
                data = file.read(size - start)
        except OSError:  # nothing was written yet, or it is being rotated
            return [], 0
        whole, _, rest = data.rpartition(b"\n")
        lines = whole.splitlines() if whole else []
        if place is None and start:
            lines = lines[1:]  # the first is cut
        rows = [row for line in lines if (row := _row(line)) is not None]
        kept = deque(rows, LAST) if place is None else rows
        if any(row["decision"] == "anomalous" for row in kept):
            self._look_for_overlays()
        told = [row | {"overlay": self._overlay_of(row)} for row in kept]
        return told, size - len(rest)

    def _overlay_of(self, row: dict[str, Any]) -> str | None:
        found = self._overlays.get(row["path"]) if row["decision"] == "anomalous" else None
        return None if found is None else found.name

    def _look_for_overlays(self) -> None:
        """path of a row -> the folder of its evidence: of folders that are new, and no more of those that are gone."""
        with suppress(OSError):
            places = sorted((self.folder / EVIDENCE).iterdir())
            self._known.intersection_update(place.name for place in places)
            self._overlays = {path: place for path, place in self._overlays.items() if place.name in self._known}
            for place in places:
                if place.name in self._known or place.name.endswith(".tmp"):
                    continue
                self._known.add(place.name)
                with suppress(OSError, ValueError, KeyError, TypeError):
                    self._overlays[json.loads((place / "row.json").read_bytes())["path"]] = place


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        return {key: row.get(key) for key in _TOLD} | {"regions": len(row.get("regions") or ())}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
