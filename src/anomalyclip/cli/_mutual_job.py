"""One run of `anomalyclip detect --mutual`: a pass that looks, the comparison, and the pass that writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given
from anomalyclip.cli._detect_job import DetectJob, batch_size_of
from anomalyclip.detect import folder as folders
from anomalyclip.detect.groups import note_of, write_groups
from anomalyclip.errors import ConfigError
from anomalyclip.extras import present, require
from anomalyclip.io.atomic import output_error
from anomalyclip.io.scratch import scratch

if TYPE_CHECKING:
    from anomalyclip.calibration import DriftMonitor
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect import OutputFolder, Provenance, Result
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.mutual.passes import FirstPass, SecondPass


def check_mutual(given: Given, decisions: Decisions, layout: tuple[Geometry, Areas]) -> None:
    """Raises ConfigError for what does not go with --mutual."""
    from anomalyclip.combining import Combination, check

    if given.engine == "ray" and given.groups:
        raise ConfigError("--groups: --engine ray writes Parquet only; run detect --mutual without it for groups")
    if decisions.profile is not None and decisions.profile.memory is None:
        raise ConfigError(
            "the profile holds thresholds of the words' scores alone, which mean nothing for --mutual: give one with a "
            "memory (anomalyclip calibrate without --no-memory), or leave --profile out"
        )
    if given.groups:
        require("sklearn", what="--groups")
        if given.output is None:
            raise ConfigError("--groups needs a folder to write to: add --output DIR")
    check(Combination(whole_batch=True, geometry=layout[0]))


def mutual_settings(given: Given) -> dict[str, Any]:
    """What a run records of how its pictures are compared."""
    aligned = {} if given.aligned is None else {"aligned": given.aligned}
    return {"mutual": True, "partners": given.partners, **aligned}


class MutualJob(DetectJob):
    """Like :class:`DetectJob`, with a pass before. What it sees lies in DIR/batch until all is written."""

    _groups: Mapping[str, int] | None = None

    def _pages(self, folder: OutputFolder) -> dict[str, Path]:
        page = folder.path / folders.GROUPS_PAGE
        return {**super()._pages(folder), **({"groups": page} if page.exists() else {})}

    def _provenance(self, model: Detector) -> Provenance:
        told = super()._provenance(model)
        return replace(told, settings={**told.settings, **mutual_settings(self.given)})

    def _monitor(self) -> DriftMonitor | None:
        return None  # the line's p-values and drift are of scores of single pictures

    def _stream(
        self, model: Detector, folder: OutputFolder | None, printer: RowPrinter, provenance: Provenance, total: int
    ) -> None:
        if folder is not None and self._all_done(folder, total):
            return
        with scratch("batch") if folder is None else _beside(folder.path / folders.SEEN) as kept:
            judged = self._compared(self._seen(model, kept, total), total)
            record = {**judged.batch.record(), "inputs": total}
            provenance = self._provenance(judged)
            if folder is not None:
                folder.set_batch(provenance, record)
            self._groups = self._grouped(judged)
            super()._stream(judged, folder, printer, provenance, total)
            if folder is not None and self._groups is not None:
                write_groups(folder.path, folder.key_of, self._odd_from())
                if not self._groups and not self.given.quiet:
                    note(f"No groups: nothing scores {self._odd_from():.3g} or more; a lower --threshold finds more.")

    def _grouped(self, judged: SecondPass) -> Mapping[str, int] | None:
        """Group of every odd picture; None where no groups are wanted, or cannot be made."""
        from anomalyclip.mutual.groups import odd_groups

        if self.given.groups is False or self.given.output is None or not present("sklearn"):
            return None
        return odd_groups(judged.verdicts, self._odd_from())

    def _odd_from(self) -> float:
        from anomalyclip.mutual.groups import ODD

        return ODD if self.decisions.threshold is None else self.decisions.threshold

    def _judged(self, result: Result, monitor: DriftMonitor | None) -> Result:
        """With the group of what is odd among its notes."""
        if self._groups is None or result.digest is None:
            return result
        number = self._groups.get(result.digest)
        return result if number is None else replace(result, notes=(*result.notes, note_of(number)))

    def _all_done(self, folder: OutputFolder, total: int) -> bool:
        """Whether an earlier run finished on just these files: then nothing is compared again."""
        before = folders.recorded_batch(folder.path)
        if before is None or before.get("inputs") != total or folder.done_count != total:
            return False
        from anomalyclip.detect import iter_inputs

        return all(folder.is_done(item) for item in iter_inputs(self.given.inputs, **self._scan))

    def _seen(self, model: Detector, kept: Path, total: int) -> FirstPass:
        from anomalyclip.detect import detect_stream, iter_inputs
        from anomalyclip.detect.pipeline import untrusted_reader
        from anomalyclip.io.untrusted import Untrusted
        from anomalyclip.mutual.passes import FirstPass

        first, workers = FirstPass(model, kept), self.given.workers or 2
        with closing(Untrusted(self.given.isolate, workers)) as files, progress_bar(shown=not self.given.quiet) as bar:
            task = bar.add_task("look", total=total)
            results = detect_stream(
                first,
                iter_inputs(self.given.inputs, **self._scan),
                batch_size=batch_size_of(self.given, model),
                workers=workers,
                geometry=self.geometry,
                areas=self.areas,
                read=untrusted_reader(files, self.reading),
            )
            with closing(results):
                for _ in results:  # what fails gets its row in the second pass
                    bar.update(task, advance=1)
        return first

    def _compared(self, first: FirstPass, total: int) -> SecondPass:
        from anomalyclip.judges.mutual_batch import pairs_of
        from anomalyclip.mutual.passes import compared
        from anomalyclip.mutual.python import MEGABYTE

        with progress_bar(shown=not self.given.quiet) as bar:
            task = bar.add_task("compare", total=pairs_of(len(first.seen), self.given.partners))
            judged = compared(
                first,
                partners=self.given.partners,
                budget=int(self.given.mutual_mb * MEGABYTE),
                aligned=self.given.aligned,
                threads=self.given.threads,
                advance=lambda pairs: bar.update(task, advance=pairs),
            )
        if not self.given.quiet:
            for doubt in judged.verdicts.doubts:
                note(doubt, style="yellow")
            count = len(judged.batch.digests)
            left = f", {total - count:,} could not be read" if total > count else ""
            note(f"Scores depend on this batch: {count:,} pictures ({judged.batch.sha256[:12]}){left}.")
        return judged


@contextmanager
def _beside(kept: Path) -> Iterator[Path]:
    """The folder `kept`; it stays where the run ends early, for `--resume`. Raises OutputError."""
    try:
        kept.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(kept, error) from error
    yield kept
    shutil.rmtree(kept, ignore_errors=True)
