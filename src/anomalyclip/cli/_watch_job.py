"""One run of `anomalyclip watch`: checks, the folder's lock, the model, then the loop until a signal or the end."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given
from anomalyclip.cli._opening import batch_for, load_detector, reading_of, tell_isolation
from anomalyclip.cli._watch_judging import Asked
from anomalyclip.cli._watch_lines import evidence_left, shower, summarise, trouble
from anomalyclip.cli._watch_told import Told
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io import attempts
from anomalyclip.io.attempts import noted_in
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect.folder import FolderLock
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading
    from anomalyclip.watching.arrival import Source
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.journal import Journal
    from anomalyclip.watching.judging import Judging
    from anomalyclip.watching.loop import Watcher

DONE, SOME_FAILED = 0, 3
_GRACE = 5.0  # seconds that a message under way may take when we stop; it would be sent again


@dataclass
class WatchJob:
    """The checked options of one run; `run` returns the exit code."""

    given: Given
    decisions: Decisions
    geometry: Geometry
    areas: Areas

    @cached_property
    def _reading(self) -> Reading:
        """One for the whole watch: as the pictures of its profile were read, given or learned by an earlier run."""
        from anomalyclip.watching.beginning import begun

        asked, given = reading_of(self.given), self.decisions.profile is not None
        learned = begun(self.given.output) if self.given.learn and not given else None
        return self.decisions.reading(asked) if learned is None else learned.reading(asked)

    def run(self) -> int:
        """Everything that can be refused is refused before the model is loaded."""
        from anomalyclip.cli._table import RowPrinter
        from anomalyclip.watching.journal import Journal
        from anomalyclip.watching.results import refuse_other_model

        with ExitStack() as stack:
            stop = stack.enter_context(_stopped_by_signals())
            database = self._open_output(stack)
            stack.callback(database.close)
            stack.enter_context(noted_in(self.given.output / attempts.NAME, apart=self.given.isolate != "off"))
            told = Told.of(self.given, database)
            stack.callback(told.close, _GRACE)
            journal = Journal(database)
            source = self._source(journal)
            stack.callback(source.close)
            printer = RowPrinter(self.given.format, quiet=True, outlives_pipe=True)
            judging = self._judging(database)
            refuse_other_model(self.given.output, judging.provenance.settings)
            watcher = self._watcher(judging, source, journal, told, printer)
            tell_isolation(self.given)
            if not self.given.quiet:
                note(f"Watching {source.label}; results in {printable(self.given.output)}. Ctrl-C ends it.")
            stack.callback(lambda: evidence_left(*watcher.evidence.close()))
            watcher.run(stop)
            told.drain(stop)
            told.close(_GRACE)
            summarise(printer, told.couriers, source, quiet=self.given.quiet)
        return SOME_FAILED if printer.summary.failed and not stop.is_set() else DONE

    def _open_output(self, stack: ExitStack) -> Database:
        from anomalyclip.detect import folder
        from anomalyclip.watching.database import JOURNAL, LOCK, Database

        folder.create(self.given.output)
        stack.enter_context(closing(self._locked()))
        if not (self.given.output / JOURNAL).exists() and (there := folder.foreign(self.given.output, LOCK)):
            raise ConfigError(
                f"--output {printable(self.given.output)} is not empty and not from an earlier watch (it holds "
                f"{printable(there[0])}); name another folder"
            )
        return Database(self.given.output)

    def _locked(self) -> FolderLock:
        """The folder, before it is looked into."""
        from anomalyclip.detect.folder import FolderLock
        from anomalyclip.watching.database import JOURNAL, taken

        try:
            return FolderLock(self.given.output)
        except OutputError:
            if (self.given.output / JOURNAL).exists():
                raise taken(self.given.output) from None
            raise

    def _source(self, journal: Journal) -> Source:
        from anomalyclip.watching.capture import Rate, is_live
        from anomalyclip.watching.source_folder import FolderOptions, FolderSource
        from anomalyclip.watching.source_live import LiveSource
        from anomalyclip.watching.source_video import VideoSource

        rate = Rate(self.given.every, self.given.fps)
        if is_live(self.given.target):
            asked = {"once": self.given.once, "link_local": self.given.allow_link_local}
            return LiveSource(self.given.target, rate, trouble, **asked)
        if Path(self.given.target).is_dir():
            own = os.path.realpath(self.given.output)
            options = FolderOptions(
                self.given.recursive,
                self.given.settle,
                self.given.once,
                self._reading,
                leave_out=own,
                frames=self.given.frames,
                isolate=self.given.isolate,
                workers=self.given.workers,
            )
            return FolderSource(self.given.target, journal, options)
        return VideoSource(self.given.target, journal, rate)

    def _judging(self, database: Database) -> Judging:
        """What judges from the start."""
        model = load_detector(self.given, quiet=self.given.quiet)
        model.check(self.geometry)
        asked = Asked(model, self.decisions, self.geometry, self.areas, self._reading)
        if self.given.learn:
            return asked.learning(self.given, database, self._batch(model))
        return asked.judging()

    def _batch(self, model: Detector) -> int:
        return int(self.given.batch_size or batch_for(model))

    def _watcher(
        self,
        judging: Judging,
        source: Source,
        journal: Journal,
        told: Told,
        printer: RowPrinter,
    ) -> Watcher:
        from anomalyclip.watching.evidence import Bounds, EvidenceRing
        from anomalyclip.watching.loop import Pace, Watcher
        from anomalyclip.watching.results import ResultFiles

        rules = judging.rules
        return Watcher(
            source=source,
            judging=judging,
            geometry=self.geometry,
            areas=self.areas,
            journal=journal,
            results=ResultFiles(self.given.output, journal),
            evidence=EvidenceRing(
                self.given.output,
                journal,
                Bounds(self.given.keep, round(self.given.keep_mb * 1e6)),
                (rules.threshold, rules.pixel_threshold),
            ),
            couriers=told.couriers,
            signals=told.signals,
            show=shower(printer, self.decisions.profile, lines=self.given.format == "lines" and not self.given.quiet),
            reading=self._reading,
            pace=Pace(self.given.interval, self._batch(judging.model), self.given.workers),
        )


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; the second one ends the process as usual.

    Nothing outlasts its grace: a decoder that may have a minute to go is broken off, and then whatever else is under
    way, as the count of many files' pictures. Their images come again.
    """
    stop, overdue, ended = threading.Event(), threading.Event(), threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        if overdue.is_set():
            raise KeyboardInterrupt
        stop.set()
        threading.Thread(target=break_off, name="anomalyclip-stop", daemon=True).start()
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else before[number])

    def break_off() -> None:
        from anomalyclip.io.isolation import stop_all

        if not ended.wait(_GRACE):
            stop_all()
        if not ended.wait(_GRACE):
            overdue.set()
            _thread.interrupt_main()

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)
