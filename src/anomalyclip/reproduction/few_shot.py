"""The table of few good pictures: lines that this package draws on MVTec AD and VisA, beside published figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from anomalyclip.data.opening import open_dataset
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation.few_shot.drawing import training_items
from anomalyclip.evaluation.few_shot.evaluating import Progress, evaluate_few_shot
from anomalyclip.evaluation.few_shot.settings import FewShotSettings
from anomalyclip.evaluation.files import save
from anomalyclip.evaluation.folder import SEEN, EvaluationFolder, fingerprint
from anomalyclip.evaluation.settings import EvaluationSettings
from anomalyclip.evaluation.tables import latex_text
from anomalyclip.io.atomic import write_bytes
from anomalyclip.judges.memory.recipes import NAMES
from anomalyclip.opening import open_for
from anomalyclip.reproduction.finding import find_datasets
from anomalyclip.reproduction.plan import MVTEC, VISA

if TYPE_CHECKING:
    from pathlib import Path

    from anomalyclip.by_class import Models
    from anomalyclip.data.dataset import Dataset
    from anomalyclip.evaluation.few_shot.result import FewShot
    from anomalyclip.reproduction.config import ReproduceConfig

TABLE = "few-shot"
TARGETS = (MVTEC, VISA)
SHOTS = (1, 2, 4)
#: our metric -> the column of `assets/paper/few_shot.tsv`
MEASURES = {"image_auroc": "image_auroc", "pixel_auroc": "pixel_auroc", "aupro": "pixel_pro"}
HEADS = ("data", "shots", "method", "on", "image AUROC", "pixel AUROC", "AUPRO", "whose figures")
OURS, MISSING = "this run", "–"


@dataclass(frozen=True)
class Line:
    """One line of the table; figures in percent, None where there is none.

    source: where published figures stand, or :data:`OURS`.
    """

    dataset: str
    shots: int
    method: str
    backbone: str
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: float | None
    source: str

    def cells(self) -> list[str]:
        """As the table shows it."""
        figures = (MISSING if value is None else f"{value:.1f}" for value in (getattr(self, one) for one in MEASURES))
        return [self.dataset, str(self.shots), self.method, self.backbone, *figures, self.source]


@cache
def published() -> tuple[Line, ...]:
    """The published figures that the package carries, in their order.

    >>> next(one.image_auroc for one in published() if (one.method, one.shots) == ("PatchCore", 4))
    88.8
    """
    text = files("anomalyclip").joinpath("assets/paper/few_shot.tsv").read_text(encoding="utf-8")
    return tuple(
        _line(
            (row["dataset"], int(row["shots"]), row["method"], row["backbone"]),
            [float(row[column]) if row[column] else None for column in MEASURES.values()],
            row["source"],
        )
        for row in csv.DictReader(text.splitlines(), delimiter="\t")
    )


def _line(what: tuple[str, int, str, str], figures: list[float | None], source: str) -> Line:
    image_auroc, pixel_auroc, aupro = figures
    return Line(*what, image_auroc, pixel_auroc, aupro, source)


def reproduce_few_shot(config: ReproduceConfig, note: Callable[[str], object] = lambda line: None) -> list[Line]:
    """Ours, then the published lines, for each target that lies below the root; written to the output folder, too.

    Every recipe that the model's encoder can serve is run; why others are not is told by `note`. A finished recipe is
    kept; an interrupted one goes on.

    Raises InputError where neither target is there, and what `evaluate_few_shot` raises.
    """
    found = find_datasets(config.root).paths
    targets = [name for name in config.targets or TARGETS if name in found]
    if not targets:
        raise InputError(f"neither {' nor '.join(config.targets or TARGETS)} lies below {config.root}; see `data info`")
    lines: list[Line] = []
    for target in targets:
        data = found[target]
        dataset = open_dataset(data, name=target, missing_masks=config.missing_masks)
        models = open_for(
            dataset.classes,
            model=config.model,
            prompts=config.prompts,
            image_size=config.image_size,
            device=config.device,
            threads=config.threads,
            offline=config.offline,
        )
        for recipe in NAMES:
            try:
                result = _measured(config, models, dataset, data, recipe)
            except ConfigError as error:
                note(f"{target}, {recipe}: left out: {error}")
                continue
            note(f"{target}, {recipe}: done")
            lines += _ours(target, config.model, result)
        lines += [one for one in published() if one.dataset == target and one.shots in SHOTS]
    lines.sort(key=lambda one: (targets.index(one.dataset), one.shots))
    write_bytes(config.output / "few-shot.md", as_markdown(lines).encode())
    write_bytes(config.output / "few-shot.json", as_json(lines).encode())
    return lines


def _measured(config: ReproduceConfig, models: Models, dataset: Dataset, data: Path, recipe: str) -> FewShot:
    settings, few = EvaluationSettings(resamples=0), FewShotSettings(SHOTS, memory=recipe)
    training = training_items(dataset, str(data), dataset.name)
    place = config.output / TABLE / f"{dataset.name.replace(' ', '-')}-{recipe}"
    folder = EvaluationFolder(place, "resume")
    with folder:
        done = folder.begin(
            {
                "model": models.provenance(),  # type: ignore[union-attr]  # open_for gives no mapping
                "settings": settings.recorded() | config.reading.recorded(),
                "few_shot": few.recorded(),
                "files": fingerprint(dataset),
            }
        )
        progress = Progress(on_class=folder.append, on_draw=folder.append_draw)
        result = evaluate_few_shot(
            models,
            dataset,
            training,
            few,
            settings=settings,
            work=place / SEEN,
            done=done,
            drawn=folder.draws(),
            progress=progress,
            workers=config.workers,
            reading=config.reading,
        )
        save(result, place)
    assert result.few_shot is not None
    return result.few_shot


def _ours(target: str, model: str, result: FewShot) -> list[Line]:
    lines = []
    for shots in result.shots:
        mean = result.mean_row(shots).mean
        figures = [None if (value := mean[metric]) is None else 100 * value for metric in MEASURES]
        lines.append(_line((target, shots, f"{result.method} (ours)", model), figures, OURS))
    return lines


def as_markdown(lines: list[Line]) -> str:
    """A GitHub table."""
    rows = [list(HEADS), ["---"] * len(HEADS), *(one.cells() for one in lines)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def as_latex(lines: list[Line]) -> str:
    """A `tabular` that needs the package booktabs."""
    rows = [" & ".join(map(latex_text, row)) + r" \\" for row in (list(HEADS), *(one.cells() for one in lines))]
    head, *body = rows
    parts = [r"\begin{tabular}{llllrrrl}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(parts) + "\n"


def as_json(lines: list[Line]) -> str:
    """A list of lines."""
    return json.dumps([asdict(one) for one in lines], indent=2, ensure_ascii=False) + "\n"
