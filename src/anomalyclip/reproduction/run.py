"""`reproduce`: find the data, lay out the tables, train and evaluate what is not done yet, write the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation import CacheSettings, ClassResult, Evaluation, EvaluationSettings, evaluate, save
from anomalyclip.evaluation.folder import RUN, EvaluationFolder, fingerprint
from anomalyclip.evaluation.predictor import recorded
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.judges.mutual_batch import BUDGET, PARTNERS
from anomalyclip.opening import open_for
from anomalyclip.reproduction.cells import Cell, Page, Shelf, Skipped, lay_out
from anomalyclip.reproduction.config import ReproduceConfig
from anomalyclip.reproduction.finding import find_datasets
from anomalyclip.reproduction.initial import write_initial_prompts
from anomalyclip.reproduction.judges import Backbone, Judge, Training, choose, digest_of
from anomalyclip.reproduction.pages import Entry, Report, make_report
from anomalyclip.reproduction.plan import Towers
from anomalyclip.reproduction.render import FORMATS
from anomalyclip.reproduction.store import Store
from anomalyclip.reproduction.watcher import TrainingWatcher, Watcher
from anomalyclip.training import train
from anomalyclip.training.outputs import PROMPTS
from anomalyclip.training.trainer import check_extra
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from anomalyclip.by_class import ByClass
    from anomalyclip.data.dataset import Dataset
    from anomalyclip.detector import Detector


@dataclass(frozen=True)
class _Job:
    """A cell with all that is needed to run it; `name` is its folder."""

    cell: Cell
    judge: Judge
    name: str


def reproduce(config: ReproduceConfig, watcher: Watcher | None = None) -> list[Report]:
    """Fill the tables of `config` from the data below its root, and write them to its output folder.

    Each cell (one evaluation) and each training is kept as soon as it is finished; the same call goes on after an
    interruption, and a wider one takes over what it shares with an earlier one.

    Raises:
        InputError: no data set below the root. HubError, WeightsError: the model cannot be had.
        ConfigError: no prompts for this model, a folder that holds something else, the extra ``train`` is missing.
        OutputError: something cannot be written.

    A data set that cannot be read, or a cell that cannot be run on it, is told on the page, and the others go on.
    """
    watcher = watcher or Watcher()
    found = find_datasets(config.root)
    for line in found.notes:
        watcher.note(line)
    shelf = Shelf(found, config)
    run = _Run(config, read_backbone(config), shelf, watcher)
    with run.store.claim(_plain(config)):
        pages = lay_out(config, shelf, run.backbone.towers)
        jobs = [run.jobs(page) for page in pages]  # all checked before the first is run
        run.announce([job for page in jobs for job in page])
        return [run.finish(page, page_jobs) for page, page_jobs in zip(pages, jobs, strict=True)]


def read_backbone(config: ReproduceConfig) -> Backbone:
    """The model's identity and depths. Raises HubError or WeightsError."""
    from anomalyclip.clip.weights import load_clip
    from anomalyclip.hub import meter, resolve_model

    files = resolve_model(config.model, offline=config.offline, meter=meter, given=config.told)
    clip = load_clip(files.weights)
    towers = Towers(clip.config.vision.layers, clip.config.text.layers)
    return Backbone(files.name, clip.weights_sha256, towers, files.default_prompts)


class _Run:
    """One call with its parts at hand."""

    def __init__(self, config: ReproduceConfig, backbone: Backbone, shelf: Shelf, watcher: Watcher) -> None:
        self.config, self.backbone, self.shelf, self.watcher = config, backbone, shelf, watcher
        self.settings = EvaluationSettings()
        self.cache = CacheSettings(config.cache_dir) if config.cache else None
        self.store = Store(config.output)

    def jobs(self, page: Page) -> list[_Job]:
        return [self._job(page, cell) for cell in page.cells]

    def _job(self, page: Page, cell: Cell) -> _Job:
        judge = choose(cell, page.table.auxiliary(cell.target), self.config, self.backbone, self.shelf)
        mutual = {"mutual": PARTNERS} if cell.variant.mutual else {}
        identity = mutual | {
            "version": __version__,
            "weights_sha256": self.backbone.weights_sha256,
            "judge": dict(judge.identity),
            "load": {name: list(v) if isinstance(v, tuple) else v for name, v in cell.variant.load.items()},
            "image_size": self.config.image_size,
            "settings": self.settings.recorded() | recorded(self.cache) | self.config.reading.recorded(),
            "data": fingerprint(self.shelf.get(cell.target)),
        }
        return _Job(cell, judge, self.store.cell_name(cell.target, digest_of(identity)))

    def announce(self, jobs: list[_Job]) -> None:
        """Tell what is left, in images; and refuse early where training is needed and its packages are missing."""
        left = {job.name: job for job in jobs if self.store.result(job.name) is None}
        trainings = {job.judge.training for job in left.values() if job.judge.training is not None}
        to_train = [one for one in trainings if self.store.trained(one) is None]
        if to_train:
            check_extra()
        images = sum(len(self.shelf.get(job.cell.target).items) for job in left.values())
        self.watcher.begin(images + sum(map(self._images, to_train)), len(left))

    def _images(self, training: Training) -> int:
        epochs = 0 if training.initial else training.config.epochs
        return epochs * sum(len(self.shelf.get(name).items) for name in training.auxiliary)

    def finish(self, page: Page, jobs: list[_Job]) -> Report:
        """Run what is not done of a page, and write it; after an interruption with what there is."""
        outcomes: list[Entry | Skipped] = list(page.skipped)
        try:
            for job in jobs:
                outcomes.append(self._outcome(page, job))  # noqa: PERF401  # kept if a later one is interrupted
        finally:
            entries = [one for one in outcomes if isinstance(one, Entry)]
            skipped = tuple(one for one in outcomes if isinstance(one, Skipped))
            report = make_report(replace(page, skipped=skipped), entries, self.backbone, self.config)
            self.store.write_page(page.table.name, {suffix: render(report) for suffix, render in FORMATS.items()})
        return report

    def _outcome(self, page: Page, job: _Job) -> Entry | Skipped:
        cell = job.cell
        try:
            result = self.store.result(job.name) or self._evaluate(page, job)
        except (InputError, ConfigError) as error:  # of this cell alone: the model was loaded before
            self.watcher.note(f"{page.table.name}, {cell.target}: not run: {error}")
            return Skipped(cell.variant.label, cell.target, str(error))
        judge = job.judge
        if judge.training is not None and self.store.left_out(judge.training):
            judge = replace(judge, deviations=(*judge.deviations, "files of the auxiliary data were left out"))
        return Entry(cell, judge, job.name, self.shelf.path(cell.target), result)

    def _evaluate(self, page: Page, job: _Job) -> dict[str, Any]:
        cell, config = job.cell, self.config
        words = f"table {page.table.name}, {cell.target}, {cell.variant.label}"
        dataset = self.shelf.get(cell.target)
        spec = self._spec(job.judge, words)
        self.watcher.doing(f"{words}: evaluating")
        models: Detector | ByClass = open_for(
            dataset.classes,
            config.model,
            prompts=spec,
            device=config.device,
            image_size=config.image_size,
            threads=config.threads,
            offline=config.offline,
            activation=config.activation,
            heads=config.heads,
            architecture=config.architecture,
            **cell.variant.load,
        )
        with ExitStack() as stack:
            if cell.variant.mutual:
                models = stack.enter_context(self._by_batch(models, dataset))
            return self._measure(job, models, dataset, words)

    def _by_batch(self, models: Detector | ByClass, dataset: Dataset) -> AbstractContextManager[ByClass]:
        from anomalyclip.evaluation.by_batch import by_batch

        layout = Geometry(), Areas()
        return by_batch(models, dataset, layout, partners=PARTNERS, budget=BUDGET, reading=self.config.reading)

    def _measure(self, job: _Job, models: Detector | ByClass, dataset: Dataset, words: str) -> dict[str, Any]:
        cell, config = job.cell, self.config
        folder = config.output / job.name
        run = {
            "model": models.provenance(),
            "settings": asdict(self.settings) | recorded(self.cache) | self.config.reading.recorded(),
            "data": {"root": str(dataset.root), "split": dataset.split},
            "files": fingerprint(dataset),
        }
        with _folder(folder, run) as (kept, done):
            self.watcher.advance(sum(len(dataset.of_class(name)) for name in done))
            result = evaluate(
                models,
                dataset,
                settings=self.settings,
                workers=config.workers,
                reading=config.reading,
                done=done,
                on_image=lambda _: self.watcher.advance(),
                on_class=kept.append,
                cache=None if cell.variant.mutual else self.cache,
            )
            save(result, folder)
        self.watcher.cell(f"{words}: {_figures(result)}")
        return result.to_dict()

    def _spec(self, judge: Judge, words: str) -> str | None:
        """The prompts, learned first where they must be."""
        training = judge.training
        if training is None:
            return judge.spec
        if self.store.trained(training) is None:
            self.watcher.doing(f"{words}: learning prompts ({judge.words})")
            folder = self.store.training_folder(training)
            if training.initial:
                write_initial_prompts(folder / PROMPTS, training.config)
            else:
                datasets: list[Dataset] = [self.shelf.get(name) for name in training.auxiliary]
                config = replace(training.config, output=str(folder))
                train(config, datasets=datasets, reporter=TrainingWatcher(self.watcher))
        return f"learned:{self.store.training_folder(training) / PROMPTS}"


@contextmanager
def _folder(path: Path, run: Mapping[str, Any]) -> Iterator[tuple[EvaluationFolder, dict[str, ClassResult]]]:
    """A cell's folder and the classes that an interrupted call finished in it.

    The name already says what makes the results; where the record within still differs (another spelling of a path,
    prompts learned anew) nothing of it is taken over.
    """
    try:
        folder = EvaluationFolder(path, "resume" if (path / RUN).is_file() else "overwrite")
        done = folder.begin(run)
    except ConfigError:
        folder = EvaluationFolder(path, "overwrite")
        done = folder.begin(run)
    with folder:
        yield folder, done


def _figures(result: Evaluation) -> str:
    from anomalyclip.evaluation.tables import HEADS, percent

    shown = [f"{HEADS[name]} {percent(value)}" for name, value in result.mean.items() if value is not None]
    return ", ".join(shown) or "no metric is defined"


def _plain(config: ReproduceConfig) -> dict[str, Any]:
    values = asdict(config)
    return {"version": __version__} | {n: str(v) if isinstance(v, Path) else v for n, v in values.items()}
