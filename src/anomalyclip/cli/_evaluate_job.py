"""One run of `anomalyclip evaluate`: data -> model -> stream -> table and files; with Ctrl-C at any moment."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from anomalyclip.cli._checks import mode_of
from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given
from anomalyclip.cli._evaluate_lines import check_lines, evaluate_lines, lines_of, references_of
from anomalyclip.cli._opening import open_layout, reading_of, tell_isolation
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io import attempts
from anomalyclip.io.attempts import noted_in
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from anomalyclip.by_class import ByClass
    from anomalyclip.calibration import Profile
    from anomalyclip.data.dataset import Dataset
    from anomalyclip.detector import Detector
    from anomalyclip.evaluation import CacheSettings, Evaluation, EvaluationSettings
    from anomalyclip.evaluation.folder import EvaluationFolder
    from anomalyclip.evaluation.result import ClassResult
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

DONE, SOME_FAILED, INTERRUPTED = 0, 3, 130
_SHOWN = 10


@dataclass
class EvaluateJob:
    """The checked options of one run; `run` returns the exit code."""

    given: Given

    @cached_property
    def layout(self) -> tuple[Geometry, Areas]:
        """How images are laid out, and which of their pixels count."""
        return open_layout(self.given)

    def run(self) -> int:
        """Cheap checks first: no model is loaded before the data and the folder fit."""
        from anomalyclip.evaluation import EvaluationSettings
        from anomalyclip.evaluation.folder import EvaluationFolder

        folder = None
        try:
            check_lines(self.given)
            threshold = None if self.profile is None else self.profile.image_threshold
            settings = EvaluationSettings(**self.given.part("measuring"), threshold=threshold)
            _ = self.layout  # masks that cannot be read are told before a model is loaded
            self._check_plots()
            self._check_mlflow()
            dataset = self._open()
            folder = (
                EvaluationFolder(output, mode_of(self.given)) if (output := self.given.output) is not None else None
            )
            tell_isolation(self.given)
            models = self._judged(self._load(dataset))
            self._tell_cache(models, dataset)
            with folder or nullcontext(), ExitStack() as stack:
                models = stack.enter_context(self._batches(models, dataset))
                done = self._begin(models, dataset, settings, folder)
                stack.enter_context(
                    noted_in(None if folder is None else folder.path / attempts.NAME, apart=self.given.isolate != "off")
                )
                result = self._evaluate(models, dataset, settings, folder, done)
                if folder is not None:
                    self._keep(result, models, dataset, folder)
        except KeyboardInterrupt:
            note(f"Interrupted.{' Continue with the same command and --resume.' if folder else ''}", style="yellow")
            return INTERRUPTED
        self._print(result)
        self._log(result)
        return SOME_FAILED if result.problems else DONE

    @cached_property
    def profile(self) -> Profile | None:
        """The profile to judge by, where one is given."""
        from anomalyclip.calibration import read_profile

        return None if self.given.profile is None else read_profile(self.given.profile)

    @property
    def reading(self) -> Reading:
        """How the pictures of this run are read: as the profile's were, where there is one."""
        asked = reading_of(self.given)
        return asked if self.profile is None else self.profile.reading(asked)

    def _judged(self, models: Detector | ByClass) -> Detector | ByClass:
        """The models with the profile's memory. Raises ConfigError where it is of another model."""
        from anomalyclip.by_class import ByClass

        if self.profile is None:
            return models
        if isinstance(models, ByClass):
            raise ConfigError("a profile is of one model, and these prompts make one per class: add --class-agnostic")
        return self.profile.judging(models, *self.layout)

    def _check_mlflow(self) -> None:
        if self.given.mlflow is not None:
            from anomalyclip.integrations.mlflow import check_mlflow

            check_mlflow(self.given.mlflow)

    def _log(self, result: Evaluation) -> None:
        if self.given.mlflow is None:
            return
        from anomalyclip.integrations.mlflow import bare, log_evaluation

        run = log_evaluation(result, self.given.mlflow, folder=self.given.output)
        if not self.given.quiet:
            note(f"MLflow: run {run} of {printable(bare(self.given.mlflow))}")

    def _check_plots(self) -> None:
        from anomalyclip.evaluation.plots import plots_available

        if self.given.plots and not plots_available():
            raise ConfigError("--plots needs matplotlib: pip install 'anomalyclip[train]'")

    def _open(self) -> Dataset:
        from anomalyclip.data import open_dataset

        dataset = open_dataset(self.given.data, **self.given.part("data"))
        for problem in dataset.problems[:_SHOWN] if not self.given.quiet else ():
            note(f"data: {printable(problem)}", style="yellow")
        return dataset

    def _load(self, dataset: Dataset) -> Detector | ByClass:
        from anomalyclip.cli._address_space import check_address_space

        check_address_space(None, "torch")
        import cv2

        from anomalyclip.by_class import model_for
        from anomalyclip.opening import open_for

        cv2.setNumThreads(1)  # the worker threads are the parallelism; OpenCV's own pool would only fight them
        models = open_for(dataset.classes, **self.given.part("opening"))
        if dataset.classes and not self.given.quiet:
            for doubt in model_for(models, dataset.classes[0]).doubts():
                note(doubt, style="yellow")
        return models

    def _cache(self) -> CacheSettings | None:
        from anomalyclip.evaluation import CacheSettings

        given = self.given
        if not given.cache and given.cache_dir is None:
            return None
        return CacheSettings(folder=given.cache_dir, dtype=given.cache_dtype)

    def _tell_cache(self, models: Detector | ByClass, dataset: Dataset) -> None:
        """Where features go and how much room all of them take; those that are there already are not written again."""
        from anomalyclip.by_class import model_for
        from anomalyclip.evaluation.predictor import Predictor
        from anomalyclip.hub.progress import human_size

        if self.given.shots is not None:
            return
        cache = (
            Predictor(model_for(models, dataset.classes[0]), self._cache(), *self.layout).cache
            if dataset.classes
            else None
        )
        if cache is None or self.given.quiet:
            return
        size = human_size(len(dataset.items) * cache.record_bytes())
        free = human_size(shutil.disk_usage(cache.folder).free)
        note(f"feature cache {printable(cache.folder)}: {size} for {len(dataset.items):,} images, {free} free")

    def _batches(self, models: Detector | ByClass, dataset: Dataset) -> AbstractContextManager[Detector | ByClass]:
        """The models, or with --mutual what judges each class as a batch."""
        if not self.given.mutual:
            return nullcontext(models)
        from anomalyclip.evaluation.by_batch import by_batch

        return by_batch(
            models,
            dataset,
            self.layout,
            partners=self.given.partners,
            budget=int(self.given.mutual_mb * 2**20),
            aligned=self.given.aligned,
            frames=self.given.frames,
            reading=reading_of(self.given),
            told=lambda line: None if self.given.quiet else note(line, style="yellow"),
        )

    def _begin(
        self,
        models: Detector | ByClass,
        dataset: Dataset,
        settings: EvaluationSettings,
        folder: EvaluationFolder | None,
    ) -> dict[str, ClassResult]:
        """Take the folder; the classes that are done in it."""
        from anomalyclip.evaluation.folder import fingerprint
        from anomalyclip.evaluation.predictor import laid_out, recorded

        if folder is None:
            return {}
        told = settings.recorded() | recorded(self._cache()) | laid_out(*self.layout, self.reading)
        run = {"model": models.provenance(), "settings": told}
        run["data"] = {"root": str(dataset.root), "split": dataset.split}
        if (few_shot := lines_of(self.given)) is not None:
            references = replace(dataset, items=references_of(self.given, dataset))
            run["few_shot"] = {**few_shot.recorded(), "files": fingerprint(references)}
        return folder.begin({**run, "files": fingerprint(dataset)})

    def _evaluate(
        self,
        models: Detector | ByClass,
        dataset: Dataset,
        settings: EvaluationSettings,
        folder: EvaluationFolder | None,
        done: dict[str, ClassResult],
    ) -> Evaluation:
        from anomalyclip.evaluation import evaluate

        few_shot = lines_of(self.given)
        left = sum(len(dataset.of_class(name)) for name in dataset.classes if name not in done)
        start = time.monotonic()
        common: dict[str, Any] = {"settings": settings, "cache": self._cache(), "done": done}
        common |= {"geometry": self.layout[0], "areas": self.layout[1], "frames": self.given.frames}
        common |= {"reading": self.reading, "batch_size": self.given.batch_size}
        common |= {"workers": self.given.workers}
        with progress_bar(shown=not self.given.quiet) as bar:
            task = bar.add_task("evaluate", total=left)

            def on_image(_: object) -> None:
                bar.update(task, advance=1)

            if few_shot is None:
                on_class = folder.append if folder is not None else None
                result = evaluate(models, dataset, on_image=on_image, on_class=on_class, **common)
            else:
                result = evaluate_lines(self.given, few_shot, models, dataset, folder, bar, on_image, **common)
        self._summarise(left, time.monotonic() - start, len(done))
        return result

    def _keep(self, result: Evaluation, models: Detector | ByClass, dataset: Dataset, folder: EvaluationFolder) -> None:
        """Plots, then tables: those say that all is there. Raises OutputError, after the table was shown."""
        from anomalyclip.evaluation import save

        try:
            self._draw(result, models, dataset, folder)
            save(result, folder.path)
        except OutputError as error:
            self._print(result)
            raise OutputError(f"{error}. What was measured is kept: then run again with --resume") from error

    def _draw(self, result: Evaluation, models: Detector | ByClass, dataset: Dataset, folder: EvaluationFolder) -> None:
        from anomalyclip.evaluation.folder import PLOTS
        from anomalyclip.evaluation.plots import plots_available, write_plots

        if self.given.plots is None and not plots_available():
            note("no plots: matplotlib is not installed (pip install 'anomalyclip[train]')", style="yellow")
        elif self.given.plots is not False:
            write_plots(folder.path / PLOTS, result, models, dataset, self._cache(), *self.layout, self.reading)

    def _summarise(self, images: int, seconds: float, classes_done: int) -> None:
        if not self.given.quiet:
            before = f" ({classes_done} classes were done before)" if classes_done else ""
            note(f"{images:,} image{'s' * (images != 1)}, {images / max(seconds, 1e-9):.2f} per second{before}")

    def _print(self, result: Evaluation) -> None:
        from anomalyclip.cli._evaluate_table import few_shot_notes, show_evaluation
        from anomalyclip.evaluation.tables import RENDERERS, footnotes

        if self.given.format in RENDERERS:
            click.echo(RENDERERS[self.given.format](result), nl=False)
        else:
            show_evaluation(result)
        for row in result.problems[:_SHOWN]:
            note(f"{printable(row.image)}: {printable(row.problem or '')}", style="yellow")
        if self.given.quiet:
            return
        for line in [*footnotes(result), *few_shot_notes(result)]:
            note(line)
        where = (
            f"Results: {printable(self.given.output)}"
            if self.given.output
            else "Add --output DIR to write tables and plots."
        )
        note(where)
