"""The loop: what arrived -> score -> evidence -> journal -> results and messages, until there is no more or we stop."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.journal import Row
from anomalyclip.detect.pipeline import Rules, detect_stream
from anomalyclip.detect.result import Provenance, Result, json_line, to_row
from anomalyclip.detector import Detector
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.watching.arrival import Source
from anomalyclip.watching.evidence import EvidenceRing
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.notify import Courier
from anomalyclip.watching.queue import Message
from anomalyclip.watching.results import ResultFiles

_REST = 10  # times as long as a look took that found nothing


@dataclass(frozen=True)
class Pace:
    """interval: seconds between two looks that found nothing. batch_size, workers: as in `detect_stream`."""

    interval: float = 1.0
    batch_size: int = 1
    workers: int = 2


@dataclass
class Watcher:
    """Everything one watch needs, wired together; `run` is the watch.

    show: gets every row once it is safe in the journal and the results files. p_value: of a score, from a profile.
    """

    source: Source
    model: Detector
    rules: Rules
    geometry: Geometry
    areas: Areas
    provenance: Provenance
    journal: Journal
    results: ResultFiles
    evidence: EvidenceRing
    couriers: Sequence[Courier]
    show: Callable[[Row], None]
    pace: Pace
    p_value: Callable[[float], float] | None = None

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set, or the source is finished. Raises OutputError where results cannot be kept."""
        for courier in self.couriers:
            courier.start()
        while not stop.is_set():
            began = time.monotonic()
            count = self._round(stop)
            if self.source.finished:
                return
            if not count:  # looking through a huge folder must not eat the machine
                self.source.wait(max(self.pace.interval, _REST * (time.monotonic() - began)), stop)

    def _round(self, stop: threading.Event) -> int:
        """Score all that has arrived; how many results there were. A stop lets the image under way be finished."""
        count = 0
        results = detect_stream(
            self.model,
            self._until(stop),
            batch_size=self.pace.batch_size,
            workers=self.pace.workers,
            rules=self.rules,
            sink=self.evidence,
            read=self.source.read,
            geometry=self.geometry,
            areas=self.areas,
        )
        with closing(results):
            for result in results:
                self._settle(result)
                count += 1
                if stop.is_set():
                    break
        return count

    def _until(self, stop: threading.Event) -> Iterator[InputItem]:
        for item in self.source.arrivals():
            if stop.is_set():
                return
            yield item

    def _settle(self, result: Result) -> None:
        mark = self.source.settle(result.item)
        if mark is None:
            self.evidence.discard(result.item.key)
            return
        folder = self.evidence.keep(result.item.key)
        if self.p_value is not None and result.score is not None:
            result = replace(result, p_value=self.p_value(result.score))
        row = to_row(result, self.provenance)
        now = time.time()
        anomalous = result.decision == "anomalous"
        messages = self._messages(row, folder, now) if anomalous else []
        self.journal.record(mark, json_line(row), messages, now)
        self.results.flush()
        self.show(row)
        if messages:
            for courier in self.couriers:
                courier.wake()

    def _messages(self, row: Row, folder: Path | None, now: float) -> list[Message]:
        event = secrets.token_hex(16)
        payload = {
            "event": "anomaly",
            "id": event,
            "time": datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds"),
            "source": self.source.label,
            "evidence": None if folder is None else str(folder.resolve()),
            "row": row,
        }
        # Undecodable bytes of file names become escapes that json.loads and os.fsencode give back exactly.
        data = json.dumps(payload, allow_nan=False).encode("ascii")
        return [Message(courier.channel, event, data) for courier in self.couriers]
