"""Statistics of several methods on the same images or sets: paired differences, placements, ranks, critical distance.

Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006, for ranks, Friedman and Nemenyi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.extras import require
from anomalyclip.metrics.bootstrap import bootstrap_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.metrics.bootstrap import Metric

    Floats = NDArray[np.float64]

LEVEL = 0.95
FEWEST_SETS = 5
"""Sets from which Friedman's test is told: with fewer its chi-square says nothing."""


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95% interval; p, of a difference: two-sided, that it is none."""

    value: float
    low: float
    high: float
    p: float | None = None


@dataclass(frozen=True)
class Scores:
    """One set: labels (m,) 0 normal, 1 anomalous, and the scores (m,) of one method."""

    scores: Floats
    labels: NDArray[np.bool_]


def resampled_mean(metric: Metric, sets: Sequence[Scores], resamples: int, seed: int) -> Floats:
    """The mean of a metric over sets, (resamples,): every set is drawn anew in each, normal and anomalous apart.

    Set i is drawn with the seed (seed, i), so that two methods on the same sets see the same draws.
    """
    drawn = [_drawn(metric, one, resamples, _seed(seed, number)) for number, one in enumerate(sets)]
    return np.asarray(np.mean(drawn, axis=0))


def mean_score(scores: Floats, labels: NDArray[np.bool_]) -> float:
    """The metric of a number that images have of their own, as the pixel AUROC of one map; labels do not matter."""
    return float(np.mean(scores))


def _drawn(metric: Metric, one: Scores, resamples: int, seed: int) -> Floats:
    if metric is not mean_score:
        return bootstrap_values(metric, one.scores, one.labels, resamples, seed=seed)
    count = one.scores.size
    chosen = np.random.default_rng(seed).integers(0, count, (resamples, count))
    return np.asarray(one.scores[chosen].mean(axis=1))


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def mean_with_interval(metric: Metric, sets: Sequence[Scores], resamples: int, seed: int) -> Estimate:
    """The mean of a metric over sets, and where it would lie on other images like these."""
    value = float(np.mean([metric(one.scores, one.labels) for one in sets]))
    if not resamples:
        return Estimate(value, value, value)
    return Estimate(value, *_ends(resampled_mean(metric, sets, resamples, seed)))


def paired_difference(
    metric: Metric, first: Sequence[Scores], second: Sequence[Scores], resamples: int, seed: int
) -> Estimate:
    """`second` minus `first`, of the mean over sets, on the same images in the same order.

    p is twice the smaller share of resamples on either side of 0, ties counted half, and at least 1 / resamples.
    """
    value = float(
        np.mean([metric(b.scores, b.labels) - metric(a.scores, a.labels) for a, b in zip(first, second, strict=True)])
    )
    if not resamples:
        return Estimate(value, value, value)
    drawn = [resampled_mean(metric, sets, resamples, seed) for sets in (first, second)]
    return difference(value, drawn[1] - drawn[0])


def difference(value: float, drawn: Floats) -> Estimate:
    """A difference, and those of the resamples (r,)."""
    below = float(((drawn < 0).sum() + (drawn == 0).sum() / 2) / drawn.size)
    p = min(1.0, max(2 * min(below, 1 - below), 1 / drawn.size))
    return Estimate(value, *_ends(drawn), p)


def with_ends(value: float, drawn: Floats) -> Estimate:
    """A value with the interval of its resamples (r,); without one where there are none."""
    return Estimate(value, *_ends(drawn)) if drawn.size else Estimate(value, value, value)


def _ends(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def placements(scores: Floats, labels: NDArray[np.bool_]) -> Floats:
    """Per image, the share of images of the other label that it is on the right side of, (m,), ties counted half.

    Free of any method's scale; the mean over anomalous images, and that over normal ones, is the AUROC (DeLong, 1988).

    >>> placements(np.array([0.9, 0.2, 0.2, 0.1]), np.array([True, True, False, False])).tolist()
    [1.0, 0.75, 0.75, 1.0]
    """
    found = np.empty(scores.size)
    normal, anomalous = np.sort(scores[~labels]), np.sort(scores[labels])
    found[labels] = _share_below(normal, scores[labels])
    found[~labels] = 1 - _share_below(anomalous, scores[~labels])
    return found


def _share_below(ascending: Floats, values: Floats) -> Floats:
    below, at_most = (np.searchsorted(ascending, values, side) for side in ("left", "right"))
    return np.asarray((below + at_most) / (2 * ascending.size))


def ranks(values: Floats) -> Floats:
    """(sets, methods) values, higher is better -> ranks per set from 1, the best; ties share their mean rank.

    >>> ranks(np.array([[0.9, 0.7, 0.9]])).tolist()
    [[1.5, 3.0, 1.5]]
    """
    higher = (values[:, None, :] > values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    return np.asarray(higher + (equal + 1) / 2)


def wins(values: Floats) -> NDArray[np.int64]:
    """On how many sets each method is the best, or one of the best, (methods,)."""
    return np.asarray((values == values.max(axis=1, keepdims=True)).sum(axis=0))


@dataclass(frozen=True)
class RankTest:
    """Friedman's statistic and p, and Nemenyi's critical distance: mean ranks further apart differ, at 5% together."""

    statistic: float
    p: float
    critical_distance: float


def rank_test(values: Floats) -> RankTest | None:
    """Of (sets, methods) values; None for fewer than 3 methods or FEWEST_SETS sets, or where all are equal.

    Raises ConfigError where SciPy is missing.
    """
    sets, methods = values.shape
    if methods < 3 or sets < FEWEST_SETS or not np.ptp(values, axis=1).any():
        return None
    require("scipy", what="Friedman's and Nemenyi's test")
    from scipy.stats import friedmanchisquare, studentized_range

    statistic, p = friedmanchisquare(*values.T)
    studentized = studentized_range.ppf(1 - 0.05, methods, np.inf) / np.sqrt(2)
    return RankTest(float(statistic), float(p), float(studentized * np.sqrt(methods * (methods + 1) / (6 * sets))))
