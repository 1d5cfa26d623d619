"""`anomalyclip evaluate --shots`: lines drawn from few good pictures of each class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from anomalyclip.by_class import ByClass
    from anomalyclip.cli._console import HiddenBar
    from anomalyclip.data.dataset import Dataset, Item
    from anomalyclip.detector import Detector
    from anomalyclip.evaluation import Evaluation
    from anomalyclip.evaluation.few_shot.settings import FewShotSettings
    from anomalyclip.evaluation.folder import EvaluationFolder


def check_lines(given: Given) -> None:
    """Raises ConfigError for options of lines that are not asked for, and for two kinds of them."""
    of_lines = ("draws", "fpr", "memory", *(() if given.mutual else ("aligned",)), "augment")
    if given.shots is None and (said := given.said(*of_lines)):
        raise ConfigError(f"{' and '.join(said)} is of lines from few good pictures: add --shots 1,4,25")
    if given.shots is not None and given.profile is not None:
        raise ConfigError("--shots draws lines of its own and --profile brings one: give only one of them")


def lines_of(given: Given) -> FewShotSettings | None:
    """Which lines the call asks for; None without --shots."""
    from anomalyclip.evaluation.few_shot.settings import DRAWS, FPR, FewShotSettings
    from anomalyclip.judges.memory.recipes import AUTO

    if given.shots is None:
        return None
    draws, fpr = given.draws or DRAWS, FPR if given.fpr is None else given.fpr
    return FewShotSettings(given.shots, draws, fpr, given.seed, given.memory or AUTO, given.aligned, given.augment)


def references_of(given: Given, dataset: Dataset) -> tuple[Item, ...]:
    """Where good pictures may come from besides the data itself."""
    from anomalyclip.evaluation.few_shot.drawing import training_items

    return training_items(dataset, str(given.data), given.part("data")["name"])


def evaluate_lines(
    given: Given,
    lines: FewShotSettings,
    models: Detector | ByClass,
    dataset: Dataset,
    folder: EvaluationFolder | None,
    bar: Progress | HiddenBar,
    on_image: Callable[[object], None],
    **common: Any,
) -> Evaluation:
    """The evaluation with its lines; draws that lie in the folder are not drawn again. common: as of `evaluate`."""
    from anomalyclip.evaluation.few_shot.evaluating import Progress, evaluate_few_shot
    from anomalyclip.evaluation.folder import SEEN

    task = bar.add_task("lines", total=len(dataset.classes) * lines.draws * len(lines.shots))
    progress = Progress(on_image=on_image, on_line=lambda: bar.update(task, advance=1))
    if folder is not None:
        progress = replace(progress, on_class=folder.append, on_draw=folder.append_draw)
    return evaluate_few_shot(
        models,
        dataset,
        references_of(given, dataset),
        lines,
        work=None if folder is None else folder.path / SEEN,
        drawn=folder.draws() if folder is not None else (),
        progress=progress,
        **common,
    )
