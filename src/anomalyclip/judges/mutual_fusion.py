"""Words, memory and the batch itself joined: one score a picture, on a scale that the batch sets or a line did.

The statistics are a line's (:mod:`anomalyclip.judges.memory.fusion`); the distances are those to the other pictures of
the batch, and deviations are counted from the batch's middle, which a few faults do not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.foreign import distrusting, farther, mean_of, trust
from anomalyclip.judges.memory.fusion import LOGITS, STATISTICS, WITHIN, Mixture, Scale, logit, statistics
from anomalyclip.judges.memory.peaks import top_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.line import Line
    from anomalyclip.judges.mutual_batch import Compared

    Floats = NDArray[np.float32]

SHARE, SHARE_OF_MANY = 0.3, 0.1
"""Share of the partners in which a fault may repeat itself and stay odd; in a batch of many kinds of pictures."""
MANY_KINDS = 0.85
"""Rank correlation of a picture's hottest patches with its median one, from which a batch is of many kinds: what sets
pictures apart is then what they show, not what is wrong with them. Measured: one kind .1 to .8, many .9."""
STEPS = 3.0
"""Deviations above the batch's middle where scores and maps have their 0.5."""
MIXTURE = Mixture("mutual", memory=1, product=1, words=1, novelty=1, novelty_product=1, map_words=1.0, map_memory=0.5)
"""A fifth each."""
OF_MANY_KINDS = Mixture("mutual-kinds", memory=1, product=1, words=1, map_words=1.0, map_memory=0.5)
"""Of a batch of many kinds, whose distances are held against their own picture already."""
KNOWN, FOREIGN = 0.7, 0.9
"""Foreignness (:mod:`anomalyclip.judges.memory.foreign`) of a batch up to which its bare distances count in full, and
from which they count nothing; they lie higher than a line's, as the nearest partners do not count. Measured over eight
sets: insulators .82 to .90, all others of one kind -.8 to .7 (docs/mutual.md)."""

_OF_DISTANCES = [place for place, number in enumerate(WITHIN) if STATISTICS[number] not in LOGITS]
_MOST_FAR, _MOST_WORDS = 0.3, 0.6
_BY_CHANCE = 2.0  # over the root of n: deviation of the ratio of two quantiles' distances, of a batch without faults
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class SeenBriefly:
    """What is kept of a picture beside its patches.

    Attributes:
        words: (N,) the words' map on patches. whole: what the words say of all of it, in (0, 1). score: their score of
            it, with the map's peak.
        own: (N,) distances to its own patches apart, see :meth:`anomalyclip.judges.memory.seen.Seen.to_itself`.
        near: (N,) distances to a line's memory; None without one.
    """

    words: Floats
    whole: float
    score: float
    own: Floats
    near: Floats | None = None

    def statistics(self, distances: Floats) -> NDArray[np.float64]:
        """(6,) the statistics :data:`anomalyclip.judges.memory.fusion.WITHIN` at these distances (N,)."""
        alone = statistics(distances[None], self.words[None], np.array([self.whole]))[0]
        novel = np.minimum(distances, self.own)
        return np.array([*alone, float(top_mean(novel)), float(top_mean(novel * self.words)), float(logit(self.score))])


def mutual_distances(compared: Compared) -> tuple[list[Floats], bool]:
    """Each picture's (N_i,) distances to the batch, and whether it is of many kinds.

    There, distances are divided by their picture's median, so that a rare kind is not a fault, and the interval is
    that of a smaller share, in which a kind of its own can find its like.
    """
    n = len(compared.starts) - 1
    found = [compared.interval(picture, SHARE) for picture in range(n)]
    tops = np.array([float(top_mean(one)) for one in found])
    middles = np.array([float(np.median(one)) for one in found])
    if n < 20 or _rank_correlation(tops, middles) < MANY_KINDS:
        return found, False
    smaller = [compared.interval(picture, SHARE_OF_MANY) for picture in range(n)]
    level = float(np.median([np.median(one) for one in smaller]))
    return [one * np.float32(level / max(float(np.median(one)), _TINY)) for one in smaller], True


def mixture_for(distances: Sequence[Floats], seen: Sequence[SeenBriefly], many: bool) -> Mixture:
    """How a batch without a line is joined: where its pictures are foreign to each other, bare distances count less."""
    if many:
        return OF_MANY_KINDS
    foreign = mean_of(farther(near, one.own) for near, one in zip(distances, seen, strict=True))
    return distrusting(MIXTURE, trust(foreign, KNOWN, FOREIGN))


def fused(
    distances: Sequence[Floats], seen: Sequence[SeenBriefly], line: Line | None, mixture: Mixture = MIXTURE
) -> tuple[Floats, NDArray[np.float64]]:
    """Scores (n,) in [0, 1], and raw ones in deviations.

    Without a line: the mixture's shares of the deviations of each statistic from the batch's median, in units of its
    lower half (median - 16% quantile); 0.1 is the batch's middle, 0.5 lies :data:`STEPS` deviations above. With one, by
    its own mixture: deviations of the memory's and of the batch's distances count half each, and the scale is the
    line's.
    """
    mutual = np.stack([one.statistics(near) for near, one in zip(distances, seen, strict=True)])
    deviations = (mutual - np.median(mutual, axis=0)) / lower_spread(mutual)
    if line is None:
        raw = deviations @ mixture.weights_within
        return scale_of(raw)(raw), raw
    known = np.stack([one.statistics(_near(one)) for one in seen])
    joined = (known - line.centre[WITHIN]) / line.spread[WITHIN]
    joined[:, _OF_DISTANCES] = (joined[:, _OF_DISTANCES] + deviations[:, _OF_DISTANCES]) / 2
    raw = joined @ line.mixture.weights_within
    return line.score_scale(raw), np.asarray(raw)


def scale_of(raw: NDArray[np.floating]) -> Scale:
    """0.1 at the median, 0.5 at :data:`STEPS` lower deviations above it."""
    middle = float(np.median(raw))
    return Scale(middle, middle + STEPS * float(lower_spread(raw[:, None])[0]))


def lower_spread(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Median - 16% quantile of (n, ...): one deviation of what is normal, whatever lies above.

    Where half of the values are equal, a little of their size.
    """
    middle = np.median(values, axis=0)
    low = np.quantile(values, 0.16, axis=0)
    return np.asarray(np.maximum(middle - low, 1e-3 * np.abs(values).mean(axis=0) + _TINY), np.float64)


def joined_distances(mutual: Floats, level: float, near: Floats | None, near_level: float) -> Floats:
    """Distances (N,) for a map: the batch's; with a line their geometric mean with the memory's, at its level."""
    if near is None:
        return mutual
    return np.asarray(np.sqrt(near * mutual * np.float32(near_level / max(level, _TINY))), np.float32)


def looks_half_faulty(raw: NDArray[np.floating], words: NDArray[np.floating]) -> bool:
    """Whether a batch looks as if a third or more of it were faulty.

    Either so many pictures lie :data:`STEPS` deviations above its middle; or its middle is no normal picture: the words
    call most of them anomalous (scores ``words`` above 0.5), and raw scores reach less far above it than below, by more
    than a batch of its size does by chance.
    """
    middle, spread = float(np.median(raw)), float(lower_spread(np.asarray(raw)[:, None])[0])
    if float(np.mean(raw > middle + STEPS * spread)) >= _MOST_FAR:
        return True
    chance = 1 - _BY_CHANCE / len(raw) ** 0.5
    short = float(np.quantile(raw, 0.84)) - middle < spread * chance
    return bool(short and float(np.mean(words > 0.5)) >= _MOST_WORDS)


def _near(one: SeenBriefly) -> Floats:
    assert one.near is not None, "seen without the memory"
    return one.near


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's; 0 where one does not vary."""
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (first, second)]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
