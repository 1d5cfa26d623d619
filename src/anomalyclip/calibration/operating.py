"""An operating point from a few labelled anomalies: by recall or cost, with intervals that admit how few they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.binomial import Interval, beta_quantile, clopper_pearson
from anomalyclip.calibration.conformal import just_above
from anomalyclip.calibration.profile_parts import OperatingPoint
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class RecallWish:
    """Find at least this share of anomalies, 0 < recall < 1, with as few false alarms as that allows."""

    recall: float

    def __post_init__(self) -> None:
        if not 0 < self.recall < 1:
            raise ConfigError(f"a recall of {self.recall:g} is out of range: expected more than 0 and less than 1")


@dataclass(frozen=True)
class CostWish:
    """Make the expected cost of an image as small as possible.

    miss, false_alarm: what one costs, above 0, in any unit. share: of anomalies among the images to come, between 0 and
    1; it cannot be learned from images that were collected for calibration.
    """

    miss: float
    false_alarm: float
    share: float

    def __post_init__(self) -> None:
        if not (0 < self.miss < math.inf and 0 < self.false_alarm < math.inf):
            raise ConfigError(f"costs of {self.miss:g} and {self.false_alarm:g}: expected two numbers above 0")
        if not 0 < self.share < 1:
            raise ConfigError(f"a share of anomalies of {self.share:g} is out of range: expected between 0 and 1")


Wish = RecallWish | CostWish


def choose(normals: Sequence[float], anomalies: Sequence[float], wish: Wish) -> OperatingPoint:
    """The threshold that grants the wish on these scores, with 95% intervals for recall and false-positive rate.

    normals (n,), anomalies (m,): image scores, at least one of each. See `_by_recall` and `_by_cost` for the rules.
    """
    normal, anomalous = (np.sort(np.asarray(scores, dtype=np.float64)) for scores in (normals, anomalies))
    if isinstance(wish, RecallWish):
        return _by_recall(normal, anomalous, wish)
    return _by_cost(normal, anomalous, wish)


def _by_recall(normal: NDArray[np.float64], anomalous: NDArray[np.float64], wish: RecallWish) -> OperatingPoint:
    """The threshold is the k-th smallest anomaly's score, k = floor((m + 1)(1 - recall)): the next anomaly is missed
    with probability k / (m + 1) at most. Where k = 0 it is the lowest score, and the wish is not guaranteed.

    The true recall is Beta(m + 1 - k, k) distributed over choices of m anomalies. The threshold does not depend on the
    normal images, so their share above it has the exact binomial interval of Clopper and Pearson.
    """
    m = anomalous.size
    k = math.floor((1 - Fraction(repr(float(wish.recall)))) * (m + 1))
    rank = max(k, 1)
    threshold = float(anomalous[rank - 1])
    interval = Interval(*(beta_quantile(q, m + 1 - rank, rank) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    alarms = int((normal >= threshold).sum())
    return OperatingPoint(
        by="recall",
        wanted=wish.recall,
        threshold=threshold,
        anomalies=m,
        recall=(float((anomalous >= threshold).mean()), *interval),
        false_positive_rate=(alarms / normal.size, *clopper_pearson(alarms, normal.size, level=LEVEL)),
        guaranteed=k >= 1,
    )


def _by_cost(normal: NDArray[np.float64], anomalous: NDArray[np.float64], wish: CostWish) -> OperatingPoint:
    """The threshold with the smallest share * miss * (1 - recall) + (1 - share) * false_alarm * rate on these scores.

    Candidates are all scores and "above all of them"; among equals the highest wins, which flags fewest. As the choice
    looks at both kinds of images, the intervals must hold for every threshold at once: those of Dvoretzky, Kiefer and
    Wolfowitz (Massart's constant), sqrt(ln(2 / 0.05) / (2 n)) to either side.
    """
    highest = max(normal[-1], anomalous[-1])
    candidates = np.unique(np.concatenate([normal, anomalous, [just_above(float(highest))]]))
    missed = np.searchsorted(anomalous, candidates, side="left") / anomalous.size
    alarms = 1 - np.searchsorted(normal, candidates, side="left") / normal.size
    costs = wish.share * wish.miss * missed + (1 - wish.share) * wish.false_alarm * alarms
    best = candidates.size - 1 - int(np.argmin(costs[::-1]))
    return OperatingPoint(
        by="cost",
        wanted=float(costs[best]),
        threshold=float(candidates[best]),
        anomalies=anomalous.size,
        recall=_band(1 - float(missed[best]), anomalous.size),
        false_positive_rate=_band(float(alarms[best]), normal.size),
        guaranteed=False,
    )


def _band(share: float, n: int) -> tuple[float, float, float]:
    half = math.sqrt(math.log(2 / (1 - LEVEL)) / (2 * n))
    return share, max(0.0, share - half), min(1.0, share + half)
