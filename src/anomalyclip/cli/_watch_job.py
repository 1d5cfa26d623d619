"""One run of `anomalyclip watch`: checks, the folder's lock, the model, then the loop until a signal or the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note
from anomalyclip.cli._watch_lines import shower, summarise, trouble
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect import Provenance
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.runtime.opening import AnyDetector
    from anomalyclip.watching.arrival import Source
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.journal import Journal
    from anomalyclip.watching.loop import Watcher
    from anomalyclip.watching.notify import Courier

DONE, SOME_FAILED = 0, 3
_BATCH = {"cpu": 1}  # larger batches do not help a CPU and cost memory
_BATCH_ELSEWHERE = 8
_GRACE = 5.0  # seconds that a message under way may take when we stop; it would be sent again


@dataclass
class WatchJob:
    """The checked options of one run; `run` returns the exit code."""

    target: str
    output: Path
    threshold: float | None
    pixel_threshold: float | None
    min_area: int
    profile: Profile | None
    recursive: bool
    once: bool
    interval: float
    settle: float
    every: int
    fps: float | None
    webhook: str | None
    command: str | None
    timeout: float
    keep: int
    keep_bytes: int
    fmt: str
    quiet: bool
    loading: Mapping[str, Any]
    geometry: Geometry
    areas: Areas
    batch_size: int | None
    workers: int
    max_pixels: int | None

    def run(self) -> int:
        """Everything that can be refused is refused before the model is loaded."""
        from anomalyclip.cli._table import RowPrinter
        from anomalyclip.watching.journal import Journal

        with ExitStack() as stack:
            stop = stack.enter_context(_stopped_by_signals())
            database = self._open_output()
            stack.callback(database.close)
            couriers = self._couriers(database)
            for courier in couriers:
                stack.callback(courier.close, _GRACE)
            journal = Journal(database)
            source = self._source(journal)
            stack.callback(source.close)
            printer = RowPrinter(self.fmt, quiet=True, outlives_pipe=True)
            watcher = self._watcher(self._load(), source, journal, couriers, printer)
            if not self.quiet:
                note(f"Watching {source.label}; results in {printable(self.output)}. Ctrl-C ends it.")
            watcher.run(stop)
            for courier in couriers:
                courier.drain(stop)
                courier.close(_GRACE)
            summarise(printer, couriers, source, quiet=self.quiet)
        return SOME_FAILED if printer.summary.failed and not stop.is_set() else DONE

    def _open_output(self) -> Database:
        from anomalyclip.detect import folder
        from anomalyclip.watching.database import JOURNAL, Database

        folder.create(self.output)
        if not (self.output / JOURNAL).exists() and (self.output / folder.RESULTS).exists():
            raise ConfigError(
                f"--output {printable(self.output)} holds results that are not a watcher's; name another folder"
            )
        return Database(self.output)

    def _couriers(self, database: Database) -> list[Courier]:
        from anomalyclip.watching.deliver import Command, Receiver, Webhook
        from anomalyclip.watching.notify import COMMAND_PATIENCE, WEBHOOK_PATIENCE, Courier, Patience
        from anomalyclip.watching.queue import DeliveryQueue

        wanted: list[tuple[str, Receiver, Patience]] = []
        if self.webhook is not None:
            wanted.append(("webhook", Webhook(self.webhook, self.timeout), WEBHOOK_PATIENCE))
        if self.command is not None:
            wanted.append(("command", Command.parse(self.command, self.timeout), COMMAND_PATIENCE))
        queue = DeliveryQueue(database)
        return [Courier(queue, channel, receiver, patience, trouble) for channel, receiver, patience in wanted]

    def _source(self, journal: Journal) -> Source:
        from anomalyclip.watching.capture import Rate, is_live
        from anomalyclip.watching.source_folder import FolderOptions, FolderSource
        from anomalyclip.watching.source_live import LiveSource
        from anomalyclip.watching.source_video import VideoSource

        rate = Rate(self.every, self.fps)
        if is_live(self.target):
            return LiveSource(self.target, rate, trouble, once=self.once)
        if Path(self.target).is_dir():
            own = os.path.realpath(self.output)
            options = FolderOptions(self.recursive, self.settle, self.once, self.max_pixels, leave_out=own)
            return FolderSource(self.target, journal, options)
        return VideoSource(self.target, journal, rate)

    def _load(self) -> AnyDetector:
        import cv2

        from anomalyclip.calibration import provenance_of
        from anomalyclip.cli._runtime_options import load_detector
        from anomalyclip.geometry import check_detector

        cv2.setNumThreads(1)  # the worker threads are the parallelism; OpenCV's own pool would only fight them
        model = load_detector(self.loading, quiet=self.quiet)
        check_detector(model, self.geometry)
        if self.profile is not None:
            self.profile.check_model(provenance_of(model, self.geometry, self.areas))
        return model

    def _watcher(
        self,
        model: AnyDetector,
        source: Source,
        journal: Journal,
        couriers: list[Courier],
        printer: RowPrinter,
    ) -> Watcher:
        from anomalyclip.detect import Rules
        from anomalyclip.watching.evidence import Bounds, EvidenceRing
        from anomalyclip.watching.loop import Pace, Watcher
        from anomalyclip.watching.results import ResultFiles

        batch = self.batch_size or _BATCH.get(model.device.type, _BATCH_ELSEWHERE)
        return Watcher(
            source=source,
            model=model,
            rules=Rules(self.threshold, self.pixel_threshold, self.min_area),
            geometry=self.geometry,
            areas=self.areas,
            provenance=self._provenance(model),
            p_value=None if self.profile is None else self.profile.p_value,
            journal=journal,
            results=ResultFiles(self.output, journal),
            evidence=EvidenceRing(self.output, journal, Bounds(self.keep, self.keep_bytes), self.pixel_threshold),
            couriers=couriers,
            show=shower(printer, self.profile, lines=self.fmt == "lines" and not self.quiet),
            pace=Pace(self.interval, batch, self.workers),
        )

    def _provenance(self, model: AnyDetector) -> Provenance:
        from anomalyclip.detect import Provenance

        profile = self.profile
        return Provenance.of(
            model,
            threshold=self.threshold,
            pixel_threshold=self.pixel_threshold,
            min_area=self.min_area,
            **self.geometry.settings(),
            **self.areas.settings(),
            **({} if profile is None else {"profile": profile.name, "profile_made": profile.made}),
        )


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; the second one ends the process as usual."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
