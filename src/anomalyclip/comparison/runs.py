"""Runs on disk -> methods to compare: folders of `evaluate`, and folders of `detect` with labels from a data set."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.comparison.contradictions import contradiction, undrawn, unlike
from anomalyclip.comparison.figures import Draws, Metrics, Resamples
from anomalyclip.comparison.records import DetectRun, EvaluateRun, read_record
from anomalyclip.comparison.statistics import Scores
from anomalyclip.detect import folder as detect_folder
from anomalyclip.detect.scored import read_results
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation.files import DRAWS_FILE, IMAGES_FILE, METRICS_FILE
from anomalyclip.evaluation.result import METRICS
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.data.dataset import Dataset

OF_ONE_MAP = ("pixel_auroc", "pixel_ap", "aupro")
"""Metrics that `evaluate` also gives of each anomalous image's map alone."""
SetName = tuple[str, str]
"""(data set, class)."""


@dataclass(frozen=True)
class RunSet:
    """One class of one data set in one run.

    images: names (m,) of the images with a score; scores, labels (m,): theirs; values: the run's own metrics,
    METRICS -> value in [0, 1] or None; maps: image -> the file of its anomaly map, where the run kept it.
    by_image: OF_ONE_MAP -> each image's own value (m,), NaN where it has none, as good images.
    drawn: metric of the pixels of all images together -> its values on images drawn anew (r,), NaN where undefined.
    draws_of: which images and draws those are; equal where they pair.
    measured: how `evaluate` measured pixels, "resolution" and "fpr_limit"; empty for `detect`, which does not.
    """

    images: tuple[str, ...]
    scores: Scores
    values: Mapping[str, float | None] = field(default_factory=dict)
    maps: Mapping[str, Path] = field(default_factory=dict)
    by_image: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    drawn: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    draws_of: tuple[str, int, int] | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)

    def only(self, images: Sequence[str]) -> Scores:
        """Scores of these images, in their order."""
        place = {name: number for number, name in enumerate(self.images)}
        chosen = [place[name] for name in images]
        return Scores(self.scores.scores[chosen], self.scores.labels[chosen])

    def own(self, metric: str) -> dict[str, float]:
        """image -> its own value of one of OF_ONE_MAP, where it has one."""
        values = self.by_image.get(metric, np.empty(0))
        return {name: value for name, value in zip(self.images, values.tolist(), strict=False) if value == value}


@dataclass(frozen=True)
class Run:
    """One folder. told: what made it, for people; model: its provenance; root: where names of images count from;
    layout: how `evaluate` laid images out before the model (tiles, regions), which `detect` has among its settings."""

    path: Path
    verb: str
    told: str
    model: Mapping[str, Any]
    root: Path
    sets: Mapping[SetName, RunSet]
    layout: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides its scores besides the model."""
        return {**(self.model.get("settings") or {}), **self.layout}


@dataclass(frozen=True)
class Method:
    """A run, or several of one model on different data. told: model, prompts, and what sets it apart from others."""

    name: str
    runs: tuple[Run, ...]
    told: str = ""

    @property
    def sets(self) -> dict[SetName, RunSet]:
        """All of its sets."""
        return {name: found for run in self.runs for name, found in run.sets.items()}


def read_methods(paths: Sequence[Path], labels: Dataset | None = None) -> list[Method]:
    """Methods in the order of their first folder; runs of one model with the same settings on other data join.

    labels: a data set whose images the runs of `detect` looked at; it tells which are anomalous.

    Raises InputError for a folder that holds no finished run, ConfigError where there are not two methods.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError("a run is given twice: compare takes every RUN_DIR once")
    joined: list[list[Run]] = []
    for run in (read_run(path, labels) for path in paths):
        home = next((one for one in joined if _same_method(one[0], run) and not _share_sets(one, run)), None)
        if home is None:
            joined.append([run])
        else:
            home.append(run)
    if len(joined) < 2:
        what = "one run" if len(paths) == 1 else "runs of one model on different data"
        raise ConfigError(f"compare was given {what}: it takes two methods or more, a RUN_DIR each")
    names = _names([runs[0].path for runs in joined])
    apart = _apart([runs[0] for runs in joined])
    return [
        Method(name, tuple(runs), _told(runs, settings))
        for name, runs, settings in zip(names, joined, apart, strict=True)
    ]


def read_run(path: Path, labels: Dataset | None = None) -> Run:
    """Raises InputError where the folder holds no finished run, or one of `detect` and there are no labels."""
    if (path / METRICS_FILE).is_file():
        return _evaluated(path)
    if (path / detect_folder.RESULTS).is_file():
        return _detected(path, labels)
    if (path / detect_folder.RUN).is_file():
        raise InputError(f"{printable(path)}: the run is unfinished; finish it with the same command and --resume")
    raise InputError(
        f"{printable(path)} holds no run: expected the --output folder of evaluate ({METRICS_FILE}) or of detect "
        f"({detect_folder.RESULTS})"
    )


def _evaluated(path: Path) -> Run:
    told = read_record(path / METRICS_FILE, Metrics, "evaluate")
    model = told.model.model_dump(exclude_unset=True)
    if (path / detect_folder.RUN).is_file():
        began = read_record(path / detect_folder.RUN, EvaluateRun, "evaluate")
        if (other := unlike(told, began)) is not None:
            raise InputError(
                f"{printable(path)}: {METRICS_FILE} and {detect_folder.RUN} tell different {other}; run evaluate again"
            )
    drawn = read_record(path / DRAWS_FILE, Resamples, "evaluate").classes if (path / DRAWS_FILE).is_file() else {}
    if (wrong := undrawn(told, drawn)) is not None:
        raise InputError(f"{printable(path)}: {DRAWS_FILE} has {wrong}; run evaluate again")
    try:
        rows = _table(path / IMAGES_FILE)
        sets = {}
        for name, values in told.classes.items():
            own = [row for row in rows if row["class"].removeprefix("'") == name and row["score"]]
            scores = _scores([(float(row["score"]), int(row["label"])) for row in own])
            sets[told.dataset.name, name] = RunSet(
                tuple(row["image"] for row in own),
                scores,
                {metric: getattr(values, metric) for metric in METRICS},
                by_image={name: np.array([float(row[name] or "nan") for row in own]) for name in OF_ONE_MAP},
                measured={"resolution": told.settings.resolution, "fpr_limit": told.settings.fpr_limit},
                **_drawn(drawn.get(name)),
            )
            if (wrong := contradiction(values, scores)) is not None:
                raise InputError(
                    f"{printable(path)}: of {printable(name)}, {IMAGES_FILE} has {wrong}; run evaluate again"
                )
        return Run(path, "evaluate", _words(model), model, Path(told.dataset.root), sets, told.settings.layout)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{printable(path)}: {IMAGES_FILE} does not fit what evaluate writes ({error!r}); run evaluate again"
        ) from error


def _drawn(told: Draws | None) -> dict[str, Any]:
    if told is None:
        return {}
    drawn = {metric: np.array(values, np.float64) for metric, values in told.values.items()}  # None is NaN
    count = len(next(iter(drawn.values())))
    return {"drawn": drawn, "draws_of": (told.images, told.seed, count)}


def _detected(path: Path, labels: Dataset | None) -> Run:
    if labels is None:
        raise InputError(
            f"{printable(path)} is a run of detect, which knows no labels: add --data DIR, the labelled data set"
        )
    run = read_record(path / detect_folder.RUN, DetectRun, "detect")
    model = {"model": run.model, "prompts": run.prompts, "settings": run.settings}
    items = {(os.path.realpath(item.image), item.frame): item for item in labels.items}
    found: dict[SetName, dict[str, tuple[float, int]]] = {}
    maps: dict[str, Path] = {}
    for one in read_results(path):
        if (other := _unlike(one.row, model)) is not None:
            raise InputError(
                f"{printable(path)}: {detect_folder.RUN} and {detect_folder.RESULTS} tell different {other}; "
                "run detect again"
            )
        file = os.path.realpath(one.file)
        item = items.get((file, one.frame)) or items.get((file, None))
        if item is None:
            continue
        name = f"{_below(Path(file), labels.root)}{'' if one.frame is None else f'#frame={one.frame}'}"
        found.setdefault((labels.name, item.class_name), {})[name] = (float(one.row["score"]), item.label)
        if one.map_file is not None:
            maps[name] = one.map_file
    if not found:
        raise InputError(f"{printable(path)}: none of its images is in the labelled data set {printable(labels.root)}")
    sets = {one: RunSet(tuple(rows), _scores(list(rows.values())), maps=maps) for one, rows in found.items()}
    return Run(path, "detect", _words(model), model, labels.root, sets)


def _below(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)


def _scores(pairs: Sequence[tuple[float, int]]) -> Scores:
    scores = np.array([score for score, _ in pairs], np.float64)
    return Scores(scores, np.array([label == 1 for _, label in pairs], np.bool_))


def _unlike(row: Mapping[str, Any], run: Mapping[str, Any]) -> str | None:
    """What a row says otherwise than its run; nothing of what one of the two leaves out, as a batch of its rows."""
    own, known = ({**one, **(one.get("settings") or {})} for one in (row, run))
    own.pop("settings", None)
    return next((printable(name) for name, value in own.items() if name in known and known[name] != value), None)


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{printable(path)} cannot be read ({error}); run evaluate again") from error


def _words(model: Mapping[str, Any]) -> str:
    side = model.get("settings", {}).get("image_size")
    return f"{model.get('model')}, prompts {model.get('prompts')}" + (f", {side} px" if side else "")


def _apart(runs: Sequence[Run]) -> list[list[str]]:
    """Of each run, the settings that not all have: "sigma 4.0"; without what one verb alone writes."""
    settings = [run.settings for run in runs]
    known: dict[str, set[str]] = {run.verb: set() for run in runs}
    for run, one in zip(runs, settings, strict=True):
        known[run.verb] |= set(one)
    keys = set.intersection(*known.values()) - {"image_size"}
    listed = [key for key in dict.fromkeys(key for one in settings for key in one) if key in keys]
    differing = [key for key in listed if any(one.get(key) != settings[0].get(key) for one in settings)]
    return [[f"{key} {one[key]}" if key in one else f"no {key}" for key in differing] for one in settings]


def _told(runs: Sequence[Run], settings: Sequence[str]) -> str:
    more = [f"with {', '.join(printable(run.path.name) for run in runs[1:])}"] if len(runs) > 1 else []
    return "; ".join([runs[0].told, *settings, *more])


def _same_method(one: Run, other: Run) -> bool:
    return one.verb == other.verb and (one.model, one.layout) == (other.model, other.layout)


def _share_sets(runs: Sequence[Run], run: Run) -> bool:
    return any(one.sets.keys() & run.sets.keys() for one in runs)


def _names(paths: Sequence[Path]) -> list[str]:
    """Folder names; with as many parents as tell them apart."""
    full = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, full)) + 1):
        names = ["/".join(parts[-depth:]) for parts in full]
        if len(set(names)) == len(names):
            break
    return [printable(name) for name in names]
