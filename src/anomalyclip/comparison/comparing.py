"""Methods side by side: means with intervals, paired differences to the first, wins, ranks, and where images differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.comparison.contradictions import BY_IMAGE
from anomalyclip.comparison.measuring import MEANS, alike, measured_otherwise
from anomalyclip.comparison.runs import Method, RunSet, SetName
from anomalyclip.comparison.statistics import (
    Estimate,
    RankTest,
    Scores,
    difference,
    mean_score,
    mean_with_interval,
    paired_difference,
    placements,
    rank_test,
    ranks,
    wins,
    with_ends,
)
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation.result import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
RESAMPLES = 1000
RESAMPLED = {**BY_IMAGE, **dict.fromkeys(MEANS, mean_score)}


@dataclass(frozen=True)
class MetricTable:
    """One metric of all methods.

    Attributes:
        values: (sets, methods) in [0, 1], of the sets that every method has it on.
        sets: those.
        means: per method, over the sets, with their interval; without one where a run kept no resamples of its pixels.
        differences: per method, to the first on the images that both scored; None for the first, and for metrics of the
            pixels of all images together where the runs did not compare the same images.
        wins: per method, on how many sets it is the best or one of the best.
        ranks: per method, the mean over sets; 1 is best.
        test: Friedman and Nemenyi, where there are enough methods and sets.
    """

    values: NDArray[np.float64]
    sets: tuple[SetName, ...]
    means: tuple[Estimate, ...]
    differences: tuple[Estimate | None, ...]
    wins: tuple[int, ...]
    ranks: tuple[float, ...]
    test: RankTest | None


@dataclass(frozen=True)
class ImageDifference:
    """One image and two methods: `first` and `second` are the shares of images of the other label that it is on the
    right side of (:func:`placements`)."""

    dataset: str
    class_name: str
    image: str
    label: int
    method: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Above 0 where the second method places it better."""
        return self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """What `compare` gives. tables: metric -> its table; images: the largest differences first; notes: what is missing,
    and why."""

    methods: tuple[Method, ...]
    tables: dict[str, MetricTable]
    images: tuple[ImageDifference, ...]
    resamples: int
    seed: int
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        methods = [
            {"name": one.name, "runs": [str(run.path) for run in one.runs], "told": one.told} for one in self.methods
        ]
        return {
            "format": FORMAT,
            "methods": methods,
            "metrics": {name: _record(table) for name, table in self.tables.items()},
            "images": [{**asdict(one), "difference": one.difference} for one in self.images],
            "resamples": self.resamples,
            "seed": self.seed,
            "level": 0.95,
            "notes": list(self.notes),
        }


def _record(table: MetricTable) -> dict[str, Any]:
    return {
        "sets": [{"dataset": data, "class": name} for data, name in table.sets],
        "values": table.values.tolist(),
        "means": [asdict(one) for one in table.means],
        "differences": [None if one is None else asdict(one) for one in table.differences],
        "wins": list(table.wins),
        "ranks": list(table.ranks),
        "test": None if table.test is None else asdict(table.test),
    }


def compare(methods: Sequence[Method], *, resamples: int = RESAMPLES, seed: int = 0, images: int = 20) -> Comparison:
    """Compare two methods or more with the first.

    resamples: of the bootstrap; 0 gives no intervals. images: how many of the largest differences are kept.

    Raises InputError where the methods have no set in common.
    """
    shared = [name for name in methods[0].sets if all(name in one.sets for one in methods)]
    if not shared:
        listed = "; ".join(f"{one.name}: {', '.join(sorted({data for data, _ in one.sets}))}" for one in methods)
        raise InputError(f"the runs have no data set and class in common ({listed}): evaluate them on the same data")
    notes = _left_out(methods, shared) + measured_otherwise(methods, shared)
    tables = {}
    for metric in (*METRICS, *MEANS):
        table, told = _table(metric, methods, alike(metric, methods, shared), resamples, seed)
        notes += [one for one in told if one not in notes]
        if table is not None:
            tables[metric] = table
    if not tables:
        raise InputError("no metric is defined for all runs: give runs with normal and anomalous images in common")
    return Comparison(tuple(methods), tables, tuple(_images(methods, shared)[:images]), resamples, seed, tuple(notes))


def _left_out(methods: Sequence[Method], shared: Sequence[SetName]) -> list[str]:
    extra = sorted({name for one in methods for name in one.sets} - set(shared))
    if not extra:
        return []
    listed = ", ".join(f"{name} of {data}" for data, name in extra[:5]) + (" ..." if len(extra) > 5 else "")
    return [f"Left out, as not every run has them: {listed}."]


def _table(
    metric: str, methods: Sequence[Method], shared: Sequence[SetName], resamples: int, seed: int
) -> tuple[MetricTable | None, list[str]]:
    of_images = metric in RESAMPLED
    rows = {name: [_value(metric, one.sets[name]) for one in methods] for name in shared}
    sets = tuple(name for name, values in rows.items() if None not in values)
    if not sets:
        return None, []
    values = np.array([rows[name] for name in sets], np.float64)
    told: list[str] = []
    means, differences = [], list[Estimate | None]([None])
    for number, one in enumerate(methods):
        if of_images:
            own = [_scores(metric, one.sets[name]) for name in sets]
            means.append(mean_with_interval(RESAMPLED[metric], own, resamples, seed))
        else:
            drawn = _pooled(metric, [one.sets[name] for name in sets]) if resamples else np.empty(0)
            means.append(with_ends(float(values[:, number].mean()), drawn))
    for number, one in enumerate(methods[1:], 1):
        if of_images:
            differences.append(_difference(metric, methods[0], one, sets, resamples, seed))
        else:
            value = float((values[:, number] - values[:, 0]).mean())
            differences.append(_pooled_difference(metric, value, methods[0], one, sets))
    test = None
    try:
        test = rank_test(values)
    except ConfigError as error:
        told.append(f"{error}.")
    mean_ranks = tuple(float(rank) for rank in ranks(values).mean(axis=0))
    counted = tuple(int(number) for number in wins(values))
    return MetricTable(values, sets, tuple(means), tuple(differences), counted, mean_ranks, test), told


def _pooled(metric: str, sets: Sequence[RunSet]) -> NDArray[np.float64]:
    """The mean over sets of a metric of all images' pixels, in the resamples (r,) that every run kept, as far as they
    are defined; empty where a run kept none."""
    drawn = [one.drawn.get(metric, np.empty(0)) for one in sets]
    count = min(map(len, drawn))
    mean = np.mean([one[:count] for one in drawn], axis=0)
    return np.asarray(mean[np.isfinite(mean)])


def _pooled_difference(
    metric: str, value: float, first: Method, second: Method, sets: Sequence[SetName]
) -> Estimate | None:
    """None where the runs kept no resamples of the same images."""
    pairs = [(first.sets[name], second.sets[name]) for name in sets]
    if any(a.draws_of is None or a.draws_of != b.draws_of for a, b in pairs):
        return None
    drawn = np.mean([b.drawn[metric] - a.drawn[metric] for a, b in pairs], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    return difference(value, drawn) if drawn.size else None


def _scores(metric: str, one: RunSet, images: Sequence[str] | None = None) -> Scores:
    """What is resampled: scores with labels, or the images' own values, which need none. images: None is all."""
    if metric in BY_IMAGE:
        return one.scores if images is None else one.only(images)
    own = one.own(MEANS[metric])
    values = np.array([own[name] for name in (own if images is None else images)], np.float64)
    return Scores(values, np.ones(values.size, np.bool_))


def _value(metric: str, one: RunSet) -> float | None:
    if metric in MEANS:
        own = _scores(metric, one)
        return mean_score(own.scores, own.labels) if own.scores.size else None
    if metric not in BY_IMAGE:
        return one.values.get(metric)
    labels = one.scores.labels
    return BY_IMAGE[metric](one.scores.scores, labels) if labels.any() and not labels.all() else None


def _difference(
    metric: str, first: Method, second: Method, sets: Sequence[SetName], resamples: int, seed: int
) -> Estimate | None:
    if metric in MEANS:
        pairs = [_paired_values(metric, first.sets[name], second.sets[name]) for name in sets]
        usable = [(a, b) for a, b in pairs if a.scores.size]
    else:
        pairs = [_paired(first.sets[name], second.sets[name]) for name in sets]
        usable = [(a, b) for a, b in pairs if a.labels.any() and not a.labels.all() and (a.labels == b.labels).all()]
    if len(usable) < len(sets):
        return None
    return paired_difference(RESAMPLED[metric], [a for a, _ in usable], [b for _, b in usable], resamples, seed)


def _paired(one: RunSet, other: RunSet) -> tuple[Scores, Scores]:
    common = set(other.images)
    both = [name for name in one.images if name in common]
    return one.only(both), other.only(both)


def _paired_values(metric: str, one: RunSet, other: RunSet) -> tuple[Scores, Scores]:
    own, common = one.own(MEANS[metric]), other.own(MEANS[metric])
    both = [name for name in own if name in common]
    return _scores(metric, one, both), _scores(metric, other, both)


def _images(methods: Sequence[Method], shared: Sequence[SetName]) -> list[ImageDifference]:
    """Every image that two methods place differently, the largest difference first."""
    found = []
    for data, name in shared:
        first = methods[0].sets[data, name]
        for one in methods[1:]:
            a, b = _paired(first, one.sets[data, name])
            if not a.labels.any() or a.labels.all() or (a.labels != b.labels).any():
                continue
            common = set(one.sets[data, name].images)
            both = [image for image in first.images if image in common]
            left, right = placements(a.scores, a.labels), placements(b.scores, b.labels)
            found += [
                ImageDifference(data, name, image, int(label), one.name, float(x), float(y))
                for image, label, x, y in zip(both, a.labels, left, right, strict=True)
                if x != y
            ]
    return sorted(found, key=lambda one: -abs(one.difference))
