"""One run of `anomalyclip watch`: checks, the folder's lock, the model, then the loop until a signal or the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect import Rules
    from anomalyclip.detect.journal import Row
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.model import AnomalyCLIP
    from anomalyclip.watching.arrival import Source
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.journal import Journal
    from anomalyclip.watching.loop import Watcher
    from anomalyclip.watching.notify import Courier

DONE, SOME_FAILED = 0, 3
_BATCH = {"cpu": 1}  # larger batches do not help a CPU and cost memory
_BATCH_ELSEWHERE = 8
_GRACE = 5.0  # seconds that a message under way may take when we stop; it would be sent again
_STYLES = {"anomalous": "red", "failed": "yellow"}


@dataclass
class WatchJob:
    """The checked options of one run; `run` returns the exit code."""

    target: str
    output: Path
    threshold: float | None
    pixel_threshold: float | None
    min_area: int
    profile: str | None
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
        from anomalyclip.calibration import read_profile
        from anomalyclip.cli._table import RowPrinter
        from anomalyclip.watching.journal import Journal

        profile = None if self.profile is None else read_profile(self.profile)
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
            watcher = self._watcher(self._load(), profile, source, journal, couriers, printer, stop)
            self._note(f"Watching {source.label}; results in {printable(self.output)}. Ctrl-C ends it.")
            watcher.run(stop)
            for courier in couriers:
                courier.drain(stop)
                courier.close(_GRACE)
            self._summarise(printer, couriers, source)
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
        return [Courier(queue, channel, receiver, patience, _trouble) for channel, receiver, patience in wanted]

    def _source(self, journal: Journal) -> Source:
        from anomalyclip.watching.capture import Rate, is_live
        from anomalyclip.watching.source_folder import FolderOptions, FolderSource
        from anomalyclip.watching.source_live import LiveSource
        from anomalyclip.watching.source_video import VideoSource

        rate = Rate(self.every, self.fps)
        if is_live(self.target):
            return LiveSource(self.target, rate, _trouble, once=self.once)
        if Path(self.target).is_dir():
            own = os.path.realpath(self.output)
            options = FolderOptions(self.recursive, self.settle, self.once, self.max_pixels, leave_out=own)
            return FolderSource(self.target, journal, options)
        return VideoSource(self.target, journal, rate)

    def _load(self) -> AnomalyCLIP:
        import cv2

        from anomalyclip.model import load

        cv2.setNumThreads(1)  # the worker threads are the parallelism; OpenCV's own pool would only fight them
        return load(**self.loading)

    def _watcher(
        self,
        model: AnomalyCLIP,
        profile: Profile | None,
        source: Source,
        journal: Journal,
        couriers: list[Courier],
        printer: RowPrinter,
        stop: threading.Event,
    ) -> Watcher:
        from anomalyclip.detect import Provenance
        from anomalyclip.geometry import check_detector
        from anomalyclip.watching.evidence import Bounds, EvidenceRing
        from anomalyclip.watching.loop import Pace, Watcher
        from anomalyclip.watching.results import ResultFiles

        check_detector(model, self.geometry)
        if profile is not None:
            profile.check_model(model.provenance())
        rules = self._rules(profile)
        return Watcher(
            source=source,
            model=model,
            rules=rules,
            geometry=self.geometry,
            areas=self.areas,
            provenance=Provenance.of(
                model,
                threshold=rules.threshold,
                pixel_threshold=rules.pixel_threshold,
                min_area=rules.min_area,
                **self.geometry.settings(),
                **self.areas.settings(),
            ),
            p_value=None if profile is None else profile.p_value,
            journal=journal,
            results=ResultFiles(self.output, journal),
            evidence=EvidenceRing(self.output, journal, Bounds(self.keep, self.keep_bytes), rules.pixel_threshold),
            couriers=couriers,
            show=self._show(printer),
            pace=Pace(self.interval, self.batch_size or _BATCH.get(model.device.type, _BATCH_ELSEWHERE), self.workers),
        )

    def _rules(self, profile: Profile | None) -> Rules:
        """Thresholds given by hand come before the profile's."""
        from anomalyclip.detect import Rules

        threshold, pixel = self.threshold, self.pixel_threshold
        if profile is not None:
            threshold = profile.image_threshold if threshold is None else threshold
            pixel = profile.pixel_threshold if pixel is None else pixel
        return Rules(threshold, threshold if pixel is None else pixel, self.min_area)

    def _show(self, printer: RowPrinter) -> Callable[[Row], None]:
        def show(row: Row) -> None:
            printer.add(row)
            if self.fmt == "lines":
                self._note(*_line(row))

        return show

    def _note(self, line: str, style: str = "") -> None:
        if not self.quiet:
            note(line, style=style)

    def _summarise(self, printer: RowPrinter, couriers: list[Courier], source: Source) -> None:
        summary = printer.summary
        counts = {"anomalous": summary.anomalous, "failed": summary.failed, "missed": getattr(source, "missed", 0)}
        listed = "".join(f", {n:,} {label}" for label, n in counts.items() if n)
        self._note(f"{summary.count:,} scored{listed}. Continue with the same command.")
        for courier in couriers:
            waiting, given_up = courier.count()
            if waiting or given_up:
                more = f", {given_up:,} were given up" if given_up else ""
                note(f"{courier.channel}: {waiting:,} messages wait for the next run{more}", style="yellow")


def _line(row: Row) -> tuple[str, str]:
    if row["error"] is not None and row["score"] is None:
        return f"failed  {printable(row['path'])}: {row['error']}", _STYLES["failed"]
    decision = row["decision"] or ""
    more = f": {row['error']}" if row["error"] is not None else ""
    return f"{row['score']:.4f}  {decision:9}  {printable(row['path'])}{more}", _STYLES.get(decision, "")


def _trouble(line: str) -> None:
    note(line, style="yellow")


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
