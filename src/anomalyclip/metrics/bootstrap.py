"""Bootstrap confidence intervals for image-level metrics: how far would the value move on other images like these?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError
from anomalyclip.metrics.arrays import BoolArray, FloatArray, ScoreArray, checked_pairs
from anomalyclip.metrics.f1 import _f1_max_compute, f1_max
from anomalyclip.metrics.precision import _average_precision_compute, average_precision
from anomalyclip.metrics.ranking import Ranking
from anomalyclip.metrics.roc import _auroc_compute, auroc

if TYPE_CHECKING:
    from anomalyclip.metrics.arrays import Values

Metric: TypeAlias = Callable[[Any, Any], float]
Draws: TypeAlias = NDArray[np.int64]

# metrics that work on many rankings at once; any other callable is called once per resample
VECTORISED: dict[Metric, Callable[[Ranking], FloatArray]] = {
    auroc: _auroc_compute,
    average_precision: _average_precision_compute,
    f1_max: _f1_max_compute,
}
CHUNK = 2_000_000  # resampled items held at a time: about 50 MB


class Interval(NamedTuple):
    """The metric's value on the data itself and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    metric: Metric,
    preds: Values,
    target: Values,
    n: int = 1000,
    *,
    seed: int = 0,
    stratified: bool = True,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of an image-level metric.

    Args:
        metric: `auroc`, `average_precision` or `f1_max` (vectorised), or any function of (preds (m,), target (m,)).
        preds: (m,) scores, one per image. target: (m,) labels, 0 normal, 1 anomalous.
        n: number of resamples, each of m images drawn with replacement.
        seed: the same seed gives the same interval.
        stratified: draw normal and anomalous images apart, so that every resample keeps their numbers. Without it,
            resamples that miss a class (the metric is NaN) are left out.
        level: share of resamples inside the interval, 0 < level < 1.

    Returns:
        (value, low, high); all NaN where the metric is undefined.

    Raises:
        InputError: as for the metric. ConfigError: `n` or `level` outside its range.

    >>> scores, labels = [0.1, 0.3, 0.4, 0.2, 0.35, 0.8, 0.7, 0.9], [0, 0, 0, 0, 1, 1, 1, 1]
    >>> [round(number, 4) for number in bootstrap_interval(auroc, scores, labels, seed=1)]
    [0.9375, 0.75, 1.0]
    """
    if not 0.0 < level < 1.0:
        raise ConfigError(f"`level` must lie between 0 and 1 (0.95 for 95%), got {level}.")
    scores, labels = _joined(preds, target)
    value = metric(scores, labels)
    if np.isnan(value):
        return Interval(value, value, value)
    values = bootstrap_values(metric, scores, labels, n, seed=seed, stratified=stratified)
    values = values[~np.isnan(values)]
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)]) if values.size else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def bootstrap_values(
    metric: Metric, preds: Values, target: Values, n: int = 1000, *, seed: int = 0, stratified: bool = True
) -> FloatArray:
    """The metric on each of `n` resamples, (n,) float64, NaN where a resample misses a class.

    Which images a resample holds follows from `target`, `n`, `seed` and `stratified` alone: two methods' scores of the
    same images give a paired bootstrap, value by value. Arguments and errors are those of `bootstrap_interval`.
    """
    if n < 1:
        raise ConfigError(f"`n` must be at least 1 resample, got {n}.")
    scores, labels = _joined(preds, target)
    draws = _draws(labels, n, np.random.default_rng(seed), stratified)
    if metric in VECTORISED:
        batches = [VECTORISED[metric](_resampled(scores, labels, rows)) for rows in draws]
    else:
        batches = [np.array([metric(scores[row], labels[row]) for row in rows]) for rows in draws]
    return np.concatenate(batches)


def _joined(preds: Values, target: Values) -> tuple[ScoreArray, BoolArray]:
    pairs = [(scores.ravel(), labels.ravel()) for scores, labels in checked_pairs(preds, target)]
    scores, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return scores, labels


def _draws(labels: BoolArray, n: int, random: np.random.Generator, stratified: bool) -> Iterator[Draws]:
    """Yield (rows, m) item numbers, `n` rows in all, a bounded number of them at a time."""
    strata = [np.flatnonzero(labels), np.flatnonzero(~labels)] if stratified else [np.arange(labels.size)]
    rows_at_once = max(1, CHUNK // labels.size)
    for start in range(0, n, rows_at_once):
        rows = min(rows_at_once, n - start)
        yield np.concatenate([items[random.integers(0, items.size, (rows, items.size))] for items in strata], axis=1)


def _resampled(scores: ScoreArray, labels: BoolArray, rows: Draws) -> Ranking:
    """One ranking per row: how often each distinct score was drawn, normal and anomalous apart."""
    ascending, group = np.unique(scores, return_inverse=True)
    groups = ascending.size
    slot = (groups - 1 - group.reshape(-1)) + groups * labels  # highest score first; anomalous items in the second half
    numbers = slot[rows] + 2 * groups * np.arange(len(rows))[:, None]
    counts = np.bincount(numbers.ravel(), minlength=2 * groups * len(rows)).reshape(len(rows), 2, groups)
    normal, anomalous = counts[:, 0].astype(np.float64), counts[:, 1].astype(np.float64)
    reach = np.cumsum(normal, axis=1)
    return Ranking(ascending[::-1].astype(np.float64), anomalous, reach - normal, reach, normal.sum(axis=1))
