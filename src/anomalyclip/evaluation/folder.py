"""The output folder while it is being filled: safe against kill -9, continued class by class with --resume.

run.json       what makes the results: model, settings, data; compared on --resume
classes.jsonl  one line per finished class, with its images
few_shot.jsonl with --shots, one line per finished class, number of shots and draw
metrics.json   is written last: a folder without it is unfinished, and the same command starts afresh in it
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.data.masks import mask_paths
from anomalyclip.detect import folder as common
from anomalyclip.detect.journal import LineFile, Row, read_rows
from anomalyclip.detect.result import json_line
from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.curves import PixelCurve
from anomalyclip.evaluation.few_shot.result import Draw
from anomalyclip.evaluation.files import DRAWS_FILE, IMAGES_FILE, LATEX_FILE, MARKDOWN_FILE, METRICS_FILE
from anomalyclip.evaluation.result import ClassResult, Counts, ImageRow, PixelResamples
from anomalyclip.io.atomic import sweep, write_bytes

Mode = Literal["new", "resume", "overwrite"]
RUN, CLASSES, PLOTS = common.RUN, "classes.jsonl", "plots"
DRAWS, SEEN = "few_shot.jsonl", ".seen"
VERB = "evaluate"


class EvaluationFolder:
    """Cheap checks at construction, `begin` before the first class, `append` after each.

    Raises OutputError where the folder cannot be used or written, ConfigError where it holds other results, a finished
    run (mode "new"), or a run made differently (mode "resume").
    """

    def __init__(self, path: Path, mode: Mode = "new") -> None:
        self.path, self.mode = path, mode
        self._file: LineFile | None = None
        self._draws: LineFile | None = None
        common.create(path)
        self._lock = common.FolderLock(path)
        if mode == "new" and not self._unfinished():
            try:
                common.refuse_used(path)
            except ConfigError:
                self._lock.close()
                raise

    def begin(self, run: Mapping[str, Any]) -> dict[str, ClassResult]:
        """Start or continue; gives the classes that are done. A class with problems is done again: they may be fixed.

        run: everything that decides the results, JSON-ready.
        """
        sweep(self.path, "**/*")
        run = {"verb": VERB, **run}
        done: dict[str, ClassResult] = {}
        if self.mode == "resume" and any(self.path.iterdir()):
            common.compare_run(self.path, run)
            done = self._restore()
        else:
            self._start(json.dumps(run, indent=2).encode("utf-8", "backslashreplace") + b"\n")
        self._file = LineFile(self.path / CLASSES)
        return done

    def append(self, result: ClassResult) -> None:
        """Record a finished class."""
        if self._file is not None:
            self._file.append(json_line(asdict(result)))

    def draws(self) -> list[Draw]:
        """The few-shot draws that are done. Ask after :meth:`begin`."""
        found: dict[tuple[str, int, int], Draw] = {}
        for _, row in read_rows(self.path / DRAWS):
            with suppress(KeyError, TypeError, ValueError):  # a damaged line: the draw is done again
                one = Draw(**row | {"references": tuple(row["references"])})
                found[one.class_name, one.shots, one.draw] = one
        return list(found.values())

    def append_draw(self, draw: Draw) -> None:
        """Record a finished draw."""
        if self._draws is None:
            self._draws = LineFile(self.path / DRAWS)
        self._draws.append(json_line(asdict(draw)))

    def close(self) -> None:
        for open_file in (self._file, self._draws, self._lock):
            if open_file is not None:
                open_file.close()

    def __enter__(self) -> EvaluationFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unfinished(self) -> bool:
        """Whether an evaluation began here and never ended."""
        try:
            run = json.loads((self.path / RUN).read_bytes())
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(run, dict) and run.get("verb") == VERB and not (self.path / METRICS_FILE).exists()

    def _start(self, run: bytes) -> None:
        self._clear()
        write_bytes(self.path / RUN, run)

    def _clear(self) -> None:
        """Remove an earlier evaluation's files, nothing else."""
        for name in (METRICS_FILE, IMAGES_FILE, MARKDOWN_FILE, LATEX_FILE, DRAWS_FILE, CLASSES, DRAWS):
            (self.path / name).unlink(missing_ok=True)
        for file in (self.path / PLOTS).glob("*.png"):
            file.unlink()
        shutil.rmtree(self.path / SEEN, ignore_errors=True)

    def _restore(self) -> dict[str, ClassResult]:
        """Whole lines only; the journal is rewritten without what will be done again."""
        (self.path / METRICS_FILE).unlink(missing_ok=True)
        found: dict[str, ClassResult] = {}
        for _, row in read_rows(self.path / CLASSES):
            with suppress(KeyError, TypeError, ValueError):  # a damaged line: the class is done again
                result = from_row(row)
                found[result.name] = result
        done = {name: result for name, result in found.items() if not result.counts.problems}
        write_bytes(self.path / CLASSES, b"".join(json_line(asdict(result)) for result in done.values()))
        return done


def from_row(row: Row) -> ClassResult:
    """The result that `append` wrote; KeyError, TypeError or ValueError for anything else."""
    intervals = {name: (float(low), float(high)) for name, (low, high) in row["intervals"].items()}
    curve = row["pixel_curve"]
    return ClassResult(
        str(row["name"]),
        dict(row["values"]),
        dict(row["undefined"]),
        intervals,
        Counts(**row["counts"]),
        tuple(ImageRow(**image) for image in row["rows"]),
        PixelCurve(**{name: tuple(axis) for name, axis in curve.items()}) if curve is not None else None,
        {name: float(bound) for name, bound in row["error_bounds"].items()},
        dict(row.get("decisions", {})),
        _resamples(row.get("resamples")),
    )


def _resamples(told: Mapping[str, Any] | None) -> PixelResamples | None:
    if told is None:
        return None
    values = {str(name): tuple(drawn) for name, drawn in told["values"].items()}
    return PixelResamples(str(told["images"]), int(told["seed"]), values)


def fingerprint(dataset: Dataset) -> str:
    """sha256 over the entries of a data set with size and time of every file: equal only for unchanged data."""
    digest = hashlib.sha256()
    for item in dataset.items:
        entry = [item.class_name, item.kind, item.label, item.has_mask, *_stamp(item)]
        digest.update(json.dumps(entry).encode() + b"\n")
    return digest.hexdigest()


def _stamp(item: Item) -> list[Any]:
    stamp: list[Any] = []
    for path in (item.image, *(mask_paths(item.mask) if item.mask is not None else (None,))):
        try:
            status = path.stat() if path is not None else None
        except OSError:
            status = None
        stamp += [str(path), status.st_size if status else None, status.st_mtime_ns if status else None]
    return stamp
