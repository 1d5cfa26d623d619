"""Exact binomial and beta quantiles of whole-number parameters, without SciPy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_STEPS = 50  # halvings of [0, 1]: the middle never rounds to 1


class Interval(NamedTuple):
    """Both ends, in [0, 1]."""

    low: float
    high: float


def beta_quantile(q: float, a: int, b: int) -> float:
    """x with P(Beta(a, b) <= x) = q for whole numbers a, b >= 0; a = 0 is the point 0 and b = 0 the point 1.

    By bisection of P(Beta(a, b) <= x) = P(Binomial(a + b - 1, x) >= a).

    >>> round(beta_quantile(0.5, 1, 1), 6), round(beta_quantile(0.95, 1, 9), 6)
    (0.5, 0.283129)
    """
    if a == 0 or b == 0:
        return float(b == 0)
    n = a + b - 1
    # The shorter of the two tails is summed: k = a..n, or k = 0..a-1 as its complement.
    upper = b <= a
    k = np.arange(a, n + 1) if upper else np.arange(a)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    log_choose = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        x = (low + high) / 2
        tail = float(np.exp(log_choose + k * math.log(x) + (n - k) * math.log1p(-x)).sum())
        if (tail if upper else 1 - tail) < q:
            low = x
        else:
            high = x
    return (low + high) / 2


def clopper_pearson(hits: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact confidence interval of a share after `hits` of `n`; it covers the true share in at least `level`.

    >>> [round(end, 4) for end in clopper_pearson(5, 5)]
    [0.4782, 1.0]
    """
    low = beta_quantile((1 - level) / 2, hits, n - hits + 1) if hits else 0.0
    high = beta_quantile((1 + level) / 2, hits + 1, n - hits) if hits < n else 1.0
    return Interval(low, high)
