"""Split-conformal thresholds and p-values: a false-positive rate that holds for finite samples, whatever the scores.

Let s_1..s_n be the scores of n normal images and s the score of the next one. If the n + 1 images are exchangeable (the
order in which they came says nothing), the p-value

    p(s) = (1 + #{i : s_i >= s}) / (n + 1)

satisfies P(p(s) <= rate) <= rate for every rate (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
section 2). "p(s) <= rate" is the same as "s is above the k-th smallest s_i" with k = ceil((n + 1)(1 - rate)). No model
of the scores is needed, and ties only make the rate smaller. The probability is over both the n images and the next
one; `rate_interval` says how far one set of n images can be off.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.binomial import Interval, beta_quantile
from anomalyclip.errors import ConfigError
from anomalyclip.settings.deciding import RATE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def smallest_rate(n: int) -> float:
    """The smallest false-positive rate that n normal images support: 1 / (n + 1).

    >>> smallest_rate(99)
    0.01
    """
    return 1 / (n + 1)


def images_needed(rate: float) -> int:
    """How many normal images support a false-positive rate.

    >>> images_needed(0.01), images_needed(0.05), images_needed(0.1)
    (99, 19, 9)
    """
    return math.ceil(1 / _exact(rate)) - 1


def allowed(n: int, rate: float) -> int:
    """m = floor(rate (n + 1)): the threshold leaves m - 1 of the n scores above itself.

    Raises ConfigError for a rate outside (0, 1) or below `smallest_rate`.
    """
    check_rate(rate)
    m = math.floor(_exact(rate) * (n + 1))
    if m < 1:
        raise ConfigError(
            f"{n} normal image{'s' * (n != 1)} cannot support a false-positive rate of {rate:g}: the smallest is "
            f"{_up(smallest_rate(n))}. Give at least {images_needed(rate):,} normal images, or accept a higher rate"
        )
    return m


def check_rate(rate: float) -> None:
    """Raises ConfigError for what is no rate between 0 and 1."""
    try:
        fits = 0 < rate < 1
    except TypeError as error:
        raise ConfigError(
            f"a false-positive rate of {rate!r} is no number: expected more than 0 and less than 1"
        ) from error
    if not fits:
        raise ConfigError(
            f"a false-positive rate of {rate:g} is out of range: expected more than 0 and less than 1"
            f"{RATE.in_per_cent(rate)}"
        )


def conformal_threshold(scores: ArrayLike, rate: float) -> float:
    """The threshold t for which "score >= t" flags at most `rate` of normal images, in the sense of this module.

    It is the smallest float32 above the ceil((n + 1)(1 - rate))-th smallest score, as scores and maps are float32 and
    everything here calls `score >= threshold` anomalous: a score equal to that calibration score is not flagged.

    scores: (n,), finite. Raises ConfigError, see `allowed`.

    >>> scores = np.arange(1, 20) / 32
    >>> float(conformal_threshold(scores, 0.1) > 18 / 32), float(conformal_threshold(scores, 0.05) > 19 / 32)
    (1.0, 1.0)
    """
    ascending = np.sort(np.asarray(scores, dtype=np.float32))  # or a score equal to one of them could round above it
    return just_above(float(ascending[ascending.size - allowed(ascending.size, rate)]))


def just_above(value: float) -> float:
    """The smallest float32 greater than `value`."""
    near = np.float32(value)
    return float(near if float(near) > value else np.nextafter(near, np.float32(np.inf)))


def p_values(calibration: NDArray[np.float32], scores: ArrayLike) -> NDArray[np.float64]:
    """p(s) of every score: in [1 / (n + 1), 1], small for scores that normal images seldom reach.

    calibration: (n,) float32, ascending. scores: any shape; compared in float32, the precision scores are made in.

    >>> p_values(np.array([0.25, 0.5, 0.5], dtype=np.float32), [0.75, 0.5, 0.0]).tolist()
    [0.25, 0.75, 1.0]
    """
    below = np.searchsorted(calibration, np.asarray(scores, dtype=np.float32), side="left")
    return np.asarray((1 + calibration.size - below) / (calibration.size + 1), dtype=np.float64)


def rate_interval(n: int, rate: float, *, level: float = 0.95) -> Interval:
    """Where the true false-positive rate of one calibration with n images lies in `level` of all calibrations.

    For scores without ties it is Beta(m, n + 1 - m) distributed over calibrations, m = floor(rate (n + 1)), with mean
    m / (n + 1) <= rate; with ties it is smaller. Equal tails.

    >>> [round(end, 4) for end in rate_interval(100, 0.01)]
    [0.0003, 0.0362]
    """
    m = allowed(n, rate)
    return Interval(*(beta_quantile(q, m, n + 1 - m) for q in ((1 - level) / 2, (1 + level) / 2)))


def _exact(rate: float) -> Fraction:
    """The decimal that was typed: in binary, 0.29 * 100 is below 29."""
    return Fraction(repr(float(rate)))


def _up(rate: float) -> str:
    """Rounded up, so that the rate named in a message is accepted when it is typed."""
    digits = 1 - math.floor(math.log10(rate))
    return f"{math.ceil(rate * 10**digits - 1e-9) / 10**digits:g}"


def allowed_or_smallest(n: int, rate: float) -> float:
    """`rate`, or the smallest rate that n images support where that is larger (as the next decimal above it).

    >>> allowed_or_smallest(4, 0.05), allowed_or_smallest(25, 0.05)
    (0.2, 0.05)
    """
    smallest = smallest_rate(n)
    while _exact(smallest) * (n + 1) < 1:
        smallest = math.nextafter(smallest, 1)
    return max(rate, smallest)


def interpolated_threshold(scores: ArrayLike, rate: float) -> float:
    """The value t for which "score > t" flags `rate` of normal images, between two calibration scores.

    With x = rate (n + 1) and m = floor(x), the m-th largest score is exceeded with probability m / (n + 1) at most, the
    next one with (m + 1) / (n + 1): for n = 25 these are 3.8% and 7.7%, and `conformal_threshold` takes the first
    for 5%. t lies between them where the tail of normal scores, were it exponential, is exceeded with probability rate:
    a gap above the m-th largest of n is then exponential with rate m, and weights c of the upper and 1 - c of the lower
    score give x = (m + 1) m / (m + c), so c = m (m + 1) / x - m. Whatever the distribution, the probability is at most
    (m + 1) / (n + 1); the simulated one stands in docs/calibration.md.

    scores: (n,), finite. Raises ConfigError, see `allowed`.

    >>> interpolated_threshold([1.0, 2.0, 3.0], 0.25), interpolated_threshold([1.0, 2.0, 3.0], 0.5)
    (3.0, 2.0)
    """
    ascending = np.sort(np.asarray(scores, dtype=np.float64))
    n = ascending.size
    m = allowed(n, rate)
    upper = float(ascending[n - m])
    lower = float(ascending[n - m - 1]) if m < n else upper
    if math.isclose(rate * (n + 1), m):
        return upper
    share = m * (m + 1) / (rate * (n + 1)) - m
    return lower + share * (upper - lower)
