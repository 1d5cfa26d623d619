"""`evaluate_few_shot`: the zero-shot evaluation, and beside it the lines that few good pictures draw."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.by_class import model_for
from anomalyclip.combining import check_memory_options, memory_source
from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.few_shot.drawing import Pool, pool_of
from anomalyclip.evaluation.few_shot.result import Draw, FewShot
from anomalyclip.evaluation.few_shot.run import FewShotRun
from anomalyclip.evaluation.few_shot.seeing import Sight, SightPredictor
from anomalyclip.evaluation.few_shot.store import SeenStore
from anomalyclip.evaluation.predictor import CacheSettings, laid_out
from anomalyclip.evaluation.run import evaluate
from anomalyclip.evaluation.settings import EvaluationSettings
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.hub.cache import home
from anomalyclip.io.reading import Reading
from anomalyclip.io.scratch import scratch

if TYPE_CHECKING:
    from anomalyclip.by_class import Models
    from anomalyclip.data.dataset import Dataset, Item
    from anomalyclip.detector import Detector
    from anomalyclip.evaluation.few_shot.settings import FewShotSettings
    from anomalyclip.evaluation.result import ClassResult, Evaluation, ImageRow
    from anomalyclip.judges.memory.source import Source

_CACHE = "features"  # in anomalyclip's cache folder, where all features lie


@dataclass(frozen=True)
class Progress:
    """Called after each image, each finished class, each finished draw (not those that were done), and each line."""

    on_image: Callable[[ImageRow], object] = lambda row: None
    on_class: Callable[[ClassResult], object] = lambda result: None
    on_draw: Callable[[Draw], object] = lambda draw: None
    on_line: Callable[[], object] = lambda: None


def evaluate_few_shot(
    models: Models,
    dataset: Dataset,
    training: Sequence[Item],
    few_shot: FewShotSettings,
    *,
    settings: EvaluationSettings | None = None,
    cache: CacheSettings | None = None,
    work: Path | None = None,
    geometry: Geometry | None = None,
    areas: Areas | None = None,
    done: Mapping[str, ClassResult] | None = None,
    drawn: Sequence[Draw] = (),
    progress: Progress | None = None,
    **stream: Any,
) -> Evaluation:
    """:func:`anomalyclip.evaluation.evaluate`, and lines drawn from few good pictures of each class.

    Each picture is encoded once. What was seen of it (patch features and the words' map: about 1 MB of pocket's, 7 MB
    of ViT-L's) is kept on disk until its class is done, and read from there for every line; memory holds one picture of
    those judged, and the references of one line.

    Args:
        training: pictures of the train split, whose good ones are references; where a class has none, its good pictures
            of the data set itself are, and a line judges those that it was not drawn from.
        few_shot: how many references, how often, and at which rate of false alarms.
        cache: keep what was seen for later runs. work: where it lies meanwhile; None is a temporary folder.
        done, drawn: classes and draws of before, which are taken over.
        stream: further arguments of `evaluate`: batch_size, workers, reading, frames.

    Raises ConfigError where a model makes no memory, and what `evaluate` raises.
    """
    settings, progress = settings or EvaluationSettings(), progress or Progress()
    layout = geometry or Geometry(), areas or Areas()
    check_memory_options(layout[0], aligned=few_shot.aligned, augment=few_shot.augment)
    for name in dataset.classes:
        source_of(model_for(models, name), few_shot)
    frames, reading = stream.get("frames"), stream.get("reading") or Reading()
    pools: dict[str, Pool] = {}
    draws: dict[str, list[Draw]] = {}
    with _place(cache, work) as (root, dtype, lasting):

        def sight_of(model: Detector) -> Sight:
            source = source_of(model, few_shot)
            identity = model.provenance() | {"source": source.record(), "layout": laid_out(*layout)}
            return Sight(model, source, SeenStore(root, identity, dtype), *layout)

        def lines(name: str) -> None:
            sight = sight_of(model_for(models, name))
            pools[name] = pool_of(dataset, name, training, frames, reading)
            run = FewShotRun(
                sight,
                few_shot,
                settings,
                dataset.root,
                frames,
                reading,
                on_draw=progress.on_draw,
                advance=progress.on_line,
            )
            before = [one for one in drawn if one.class_name == name]
            draws[name] = run.run(name, dataset.of_class(name), pools[name], before)
            if not lasting:
                shutil.rmtree(sight.store.folder, ignore_errors=True)

        def finished(result: ClassResult) -> None:
            progress.on_class(result)
            lines(result.name)

        found = evaluate(
            models,
            dataset,
            settings=settings,
            geometry=geometry,
            areas=areas,
            done=done,
            predictor_of=lambda model: SightPredictor(sight_of(model)),
            on_image=progress.on_image,
            on_class=finished,
            **stream,
        )
        for name in dataset.classes:
            if name not in draws:
                lines(name)
    told = few_shot.recorded()
    result = FewShot(
        told,
        few_shot.memory,
        {name: pools[name].split for name in dataset.classes},
        tuple(one for name in dataset.classes for one in draws[name]),
    )
    return replace(found, settings={**found.settings, "few_shot": told}, few_shot=result)


def source_of(model: Detector, few_shot: FewShotSettings) -> Source:
    """Which features a memory of this model compares. Raises ConfigError where it cannot give them."""
    source, refusal = memory_source(model.encoder, model.judge, few_shot.memory, few_shot.aligned)
    if refusal is not None:
        raise ConfigError(f"{model.name} makes no memory {few_shot.memory!r} of good pictures: {refusal}")
    return source


@contextmanager
def _place(cache: CacheSettings | None, work: Path | None) -> Iterator[tuple[Path, Any, bool]]:
    """(where what is seen lies, its dtype, whether it stays)."""
    if cache is not None:
        folder = Path(cache.folder).expanduser() if cache.folder is not None else home() / _CACHE
        yield folder, cache.dtype, True
    elif work is not None:
        yield work, "fp32", False
        shutil.rmtree(work, ignore_errors=True)
    else:
        with scratch("seen") as temporary:
            yield temporary, "fp32", False
