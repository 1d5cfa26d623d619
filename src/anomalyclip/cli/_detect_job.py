"""One run of `anomalyclip detect`: inputs -> model -> stream -> rows, files, report; with Ctrl-C at any moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._checks import mode_of
from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given
from anomalyclip.cli._opening import batch_for, load_detector, reading_of, scan_of, tell_isolation
from anomalyclip.detect.folder import REPORT, TABLE
from anomalyclip.io import attempts
from anomalyclip.io.attempts import noted_in
from anomalyclip.io.names import printable
from anomalyclip.io.scanning import PassedOver
from anomalyclip.lazy import soon

if TYPE_CHECKING:
    from anomalyclip.calibration import DriftMonitor
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect import InputItem, OutputFolder, Provenance, Result
    from anomalyclip.detect.artifacts import MapsChoice
    from anomalyclip.detect.pipeline import Sink
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

DONE, SOME_FAILED, INTERRUPTED = 0, 3, 130
_NEXT = (
    "cv2",
    "anomalyclip.detect.pipeline",
    "anomalyclip.cli._table",
    "PIL.JpegImagePlugin",
)  # once the model is open
_IN_STREAM = 3  # images per stream and batch: the streams wait for each other only at a batch's end


@dataclass
class DetectJob:
    """The checked options of one run; `run` returns the exit code."""

    given: Given
    decisions: Decisions
    geometry: Geometry
    areas: Areas
    passed: PassedOver = field(default_factory=PassedOver)

    @property
    def reading(self) -> Reading:
        """How the pictures of this run are read."""
        return self.decisions.reading(reading_of(self.given))

    @property
    def _scan(self) -> dict[str, Any]:
        return scan_of(self.given) | {"axis": self.reading.axis}

    def run(self) -> int:
        """Cheap checks first: no folder is made before an input is found, no model loaded before the folder fits."""
        from anomalyclip.detect import OutputFolder, survey_inputs

        try:
            total = survey_inputs(self.given.inputs, passed=self.passed, **self._scan)
            folder = OutputFolder(self.given.output, mode_of(self.given)) if self.given.output is not None else None
            model = self._load(total)
            model.check(self.geometry)
            model = self.decisions.judged(model, self.geometry, self.areas)
        except KeyboardInterrupt:
            return INTERRUPTED
        return self._process(model, folder, total)

    def _load(self, images: int) -> Detector:
        # One image: all threads on it. Many: each thread on its own, which loses no time to waiting for the others.
        streams = (self.given.threads or os.cpu_count() or 1) if images > 1 else 1
        soon(*_NEXT)
        return load_detector(self.given, quiet=self.given.quiet, streams=streams)

    def _process(self, model: Detector, folder: OutputFolder | None, total: int) -> int:
        from anomalyclip.cli._table import RowPrinter
        from anomalyclip.detect import write_findings

        provenance = self._provenance(model)
        if folder is not None:
            files: dict[str, Any] = {"overlay": self._overlay, "maps": self._maps}
            files |= {"findings": self.given.findings} if self.given.findings is not None else {}
            folder.begin(provenance, files=files, cwd=self._cwd(), passed_over=self.passed.record())
        printer = RowPrinter(
            self.given.format,
            quiet=self.given.quiet,
            outlives_pipe=folder is not None,
            threshold=self.decisions.threshold,
        )
        start, interrupted = time.monotonic(), False
        try:
            notes = None if folder is None else folder.path / attempts.NAME
            with folder or nullcontext(), noted_in(notes, apart=self.given.isolate != "off"):
                self._stream(model, folder, printer, provenance, total)
        except KeyboardInterrupt:
            interrupted = True
        seconds = time.monotonic() - start
        self._write_report(folder)
        if folder is not None and self.given.findings is not None:
            write_findings(folder.path, self.given.findings)
        printer.finish()
        self._summarise(printer, folder, seconds)
        if interrupted:
            kept = "What is done is kept: continue with the same command and --resume." if folder else ""
            note(f"Interrupted. {kept}", style="yellow")
        incomplete = printer.summary.failed or self.passed.pictures
        return INTERRUPTED if interrupted else SOME_FAILED if incomplete else DONE

    def _provenance(self, model: Detector) -> Provenance:
        from anomalyclip.detect import Provenance

        return Provenance.of(
            model,
            **self.decisions.recorded(),
            **self.geometry.settings(),
            **self.areas.settings(),
            **self.reading.recorded(),
        )

    def _stream(
        self, model: Detector, folder: OutputFolder | None, printer: RowPrinter, provenance: Provenance, total: int
    ) -> None:
        from anomalyclip.detect import detect_stream
        from anomalyclip.detect.pipeline import untrusted_reader
        from anomalyclip.detect.result import to_row
        from anomalyclip.io.untrusted import Untrusted

        shown = not self.given.quiet and not (
            self.given.format != "table" and os.isatty(1)
        )  # rows on a terminal would cut the bar
        workers, reading = self.given.workers or 2, self.reading
        reading.learn(() if folder is None else folder.notes)
        tell_isolation(self.given)
        with closing(Untrusted(self.given.isolate, workers)) as files, progress_bar(shown=shown) as bar:
            task = bar.add_task("detect", total=total)
            results = detect_stream(
                model,
                self._items(folder, lambda: bar.update(task, advance=1)),
                batch_size=batch_size_of(self.given, model),
                workers=workers,
                read=untrusted_reader(files, reading),
                rules=self.decisions.rules(outlines=self.given.findings is not None),
                sink=self._sink(folder),
                geometry=self.geometry,
                areas=self.areas,
                identify=folder is not None,
                on_view=lambda done, views: bar.update(task, description=f"detect (view {done:,} of {views:,})"),
            )
            unmasked, known, monitor = 0, 0, self._monitor()
            own = self.decisions.own_pictures()
            with closing(results):
                for result in results:
                    is_own = bool(own) and str(Path(result.item.path).absolute()) in own
                    result = self._judged(result, None if is_own else monitor)
                    printer.add(to_row(result, provenance) if folder is None else folder.append(result))
                    bar.update(task, advance=1)
                    known += is_own
                    unmasked += "ignore_mask" in (told := result.geometry or {}) and told["ignore_mask"] is None
        if unmasked and not self.given.quiet:
            note(f"No mask of its name for {_images(unmasked)}: nothing was ignored there.", style="yellow")
        if known and not self.given.quiet:
            note(
                f"{_images(known)} drew the profile's line and lie in its memory: their scores say nothing of others.",
                style="yellow",
            )
        if monitor is not None and not self.given.quiet and (warning := monitor.warning()) is not None:
            note(warning, style="yellow")

    def _monitor(self) -> DriftMonitor | None:
        if self.decisions.profile is None:
            return None
        from anomalyclip.calibration import DriftMonitor

        return DriftMonitor(self.decisions.profile)

    def _judged(self, result: Result, monitor: DriftMonitor | None) -> Result:
        """With its p-value, and counted for drift unless it drew the line itself."""
        if self.decisions.profile is None or result.score is None:
            return result
        if monitor is not None:
            monitor.add(result.score)
        return replace(result, p_value=self.decisions.profile.p_value(result.score))

    @property
    def _overlay(self) -> bool:
        return self.given.overlay is not False

    @property
    def _report(self) -> bool:
        return self.given.report is not False

    @property
    def _maps(self) -> MapsChoice:
        maps: MapsChoice = self.given.maps or "tiff"
        return maps

    def _items(self, folder: OutputFolder | None, skipped: Callable[[], object]) -> Iterator[InputItem]:
        from anomalyclip.detect import iter_inputs

        names = folder.names if folder is not None else None
        for item in iter_inputs(self.given.inputs, names=names, **self._scan):
            if folder is not None and folder.is_done(item):
                skipped()
            else:
                yield item

    def _sink(self, folder: OutputFolder | None) -> Sink | None:
        from anomalyclip.detect import ImageFiles

        if folder is None or not (self._overlay or self._report or self._maps != "none"):
            return None
        drawn = {"threshold": self.decisions.threshold, "pixel_threshold": self.decisions.pixel_threshold}
        good = self.decisions.good_pictures() if self._report else ()
        return ImageFiles(folder.path, self._overlay, self._maps, self._report, good=good, **drawn)

    def _cwd(self) -> str | None:
        return None if all(Path(given).is_absolute() for given in self.given.inputs) else str(Path.cwd())

    def _write_report(self, folder: OutputFolder | None) -> None:
        from anomalyclip.detect import write_report

        if folder is not None and self._report:
            write_report(folder.path, folder.key_of)

    def _pages(self, folder: OutputFolder) -> dict[str, Path]:
        """What there is to look at, by what it is called."""
        return {"report": folder.path / REPORT} if self._report else {}

    def _summarise(self, printer: RowPrinter, folder: OutputFolder | None, seconds: float) -> None:
        if self.given.quiet:
            for line in self.passed.lines() if self.passed.pictures else ():  # they change the exit code
                note(line, style="yellow")
            return
        summary = printer.summary
        decided = {"anomalous": summary.anomalous, "normal": summary.normal, "failed": summary.failed}
        counts = ", ".join(f"{n:,} {label}" for label, n in decided.items() if n)
        before = f" ({folder.done_count:,} were done before)" if folder is not None and folder.done_count else ""
        rate = f", {summary.count / seconds:.2f} per second" if summary.count and seconds else ""
        note(f"{_images(summary.count)}{f': {counts}' if counts else ''}{rate}{before}")
        if folder is not None and folder.replaced:
            note(f"Scored again, as the file has changed since: {_images(folder.replaced)}", style="yellow")
        for line in self.passed.lines():
            note(line, style="yellow")
        if summary.scored and self.decisions.threshold is None:
            note("No decisions: they take --threshold, or --profile with a file that `anomalyclip calibrate` makes.")
        if folder is None:
            note("Add --output DIR to write tables, heat maps and a report.")
        else:
            pages = "".join(f"; {name}: {printable(page)}" for name, page in self._pages(folder).items())
            note(f"Results: {printable(folder.path / TABLE)}{pages}")


def batch_size_of(given: Given, model: Detector) -> int:
    """Images per forward pass."""
    return given.batch_size or (_IN_STREAM * model.streams if model.streams > 1 else batch_for(model))


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"
