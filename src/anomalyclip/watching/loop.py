"""The loop: what arrived -> score -> evidence -> journal -> results and messages, until there is no more or we stop."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.journal import Row
from anomalyclip.detect.pipeline import Finished, detect_stream
from anomalyclip.detect.result import Result, json_line, to_row
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.io.isolation import stopped
from anomalyclip.io.reading import Reading
from anomalyclip.watching.arrival import Source
from anomalyclip.watching.evidence import EvidenceRing
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.judging import Judging
from anomalyclip.watching.notify import Courier
from anomalyclip.watching.queue import Message
from anomalyclip.watching.results import ResultFiles
from anomalyclip.watching.signals import Signal

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

    judging: what judges; another one where the watch has learned it. reading: how the source reads; the journal keeps
    what it finds of the pictures' scale for the next watch. show: gets every row once it is safe in the journal and the
    results files; signals hear of it, too.
    """

    source: Source
    judging: Judging
    geometry: Geometry
    areas: Areas
    journal: Journal
    results: ResultFiles
    evidence: EvidenceRing
    couriers: Sequence[Courier]
    show: Callable[[Row], None]
    pace: Pace
    signals: Sequence[Signal] = ()
    reading: Reading = field(default_factory=Reading)
    _next: Judging | None = field(default=None, init=False)
    _found: dict[str, Any] = field(default_factory=dict, init=False)
    _arrivals: Iterator[InputItem] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.reading.recall({key: self.journal.get(key) for key in self.reading.FINDS})

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set, or the source is finished. Raises OutputError where results cannot be kept."""
        for courier in self.couriers:
            courier.start()
        for signal in self.signals:
            signal.start()
        while not stop.is_set():
            began = time.monotonic()
            count = self._round(stop)
            self.evidence.retry()
            if self._next is not None:
                self._adopt(self._next)
            elif self.source.finished:
                return
            elif not count:  # looking through a huge folder must not eat the machine
                self.source.wait(max(self.pace.interval, _REST * (time.monotonic() - began)), stop)

    def _round(self, stop: threading.Event) -> int:
        """Score all that has arrived; how many results there were. A stop lets the image under way be finished."""
        count = 0
        results = detect_stream(
            self.judging.model,
            self._until(stop),
            batch_size=self.pace.batch_size,
            workers=self.pace.workers,
            rules=self.judging.rules,
            sink=self._sink,
            read=self.source.read,
            geometry=self.geometry,
            areas=self.areas,
            in_step=self.judging.learning is not None,
        )
        with closing(results):
            for result in results:
                if result.error is not None and stopped():  # broken off with us: it comes again
                    break
                self._settle(result)
                count += 1
                if stop.is_set():
                    break
        return count

    def _until(self, stop: threading.Event) -> Iterator[InputItem]:
        """What arrives; where another judge waits, no more is taken, and the next round goes on from there."""
        if self._arrivals is None:
            self._arrivals = iter(self.source.arrivals())
        while not stop.is_set() and self._next is None:
            item = next(self._arrivals, None)
            if item is None:
                self._arrivals = None
                return
            yield item

    def _adopt(self, judging: Judging) -> None:
        """Between two rounds, so that no picture is judged by the one and decided by the other."""
        self.judging, self._next = judging, None
        self.evidence.thresholds = judging.rules.threshold, judging.rules.pixel_threshold

    def _sink(self, finished: Finished) -> None:
        if self.judging.learning is not None:
            self.judging.learning.note(finished)
        self.evidence(finished)

    def _settle(self, result: Result) -> None:
        judging, learning = self.judging, self.judging.learning
        mark = self.source.settle(result.item)
        if mark is None:
            self.evidence.discard(result.item.key)
            if learning is not None:
                learning.discard(result.item.key)
            return
        self.evidence.retry()
        if judging.p_value is not None and result.score is not None:
            result = replace(result, p_value=judging.p_value(result.score))
        now = time.time()
        try:
            with self.journal.transaction():
                folder = self.evidence.keep(result.item.key)
                said = {} if learning is None else learning.settle(result)
                row = to_row(result, judging.provenance.saying(said))
                messages = self._messages(row, folder, now) if result.decision == "anomalous" else []
                self.journal.record(mark, json_line(row), messages, now)
                if (found := self.reading.found()) != self._found:
                    self.journal.put(found)
                    self._found = found
        except BaseException:
            self.evidence.discard(result.item.key)  # the image will come again, and its evidence with it
            raise
        self.results.flush()
        for signal in self.signals:
            signal.show(row)
        self.show(row)
        if messages:
            for courier in self.couriers:
                courier.wake()
        if learning is not None and self._next is None:
            self._next = learning.ready()

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
