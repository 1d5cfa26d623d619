"""Thresholds and p-values: brute force, and the promised rate over many calibrations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anomalyclip.calibration.conformal import (
    allowed,
    conformal_threshold,
    images_needed,
    just_above,
    p_values,
    rate_interval,
    smallest_rate,
)
from anomalyclip.errors import ConfigError

SCORES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60)
RATES = [0.01, 0.05, 0.1]
SUPPORTED = [(n, rate) for n in (20, 100, 1000) for rate in RATES if rate >= 1 / (n + 1)]
DRAWS = 2000


@given(SCORES, st.integers(1, 99), st.floats(0, 1, width=32))
def test_threshold_p_value_and_definition_agree(scores: list[float], percent: int, new: float) -> None:
    rate = percent / 100
    p = Fraction(1 + sum(s >= new for s in scores), len(scores) + 1)
    assert p_values(np.sort(np.array(scores, np.float32)), new) == float(p)
    if Fraction(percent, 100) * (len(scores) + 1) < 1:
        with pytest.raises(ConfigError, match=f"at least {images_needed(rate):,} normal images"):
            conformal_threshold(scores, rate)
        return
    rank = math.ceil((len(scores) + 1) * (1 - Fraction(percent, 100)))
    above = new > sorted(scores)[rank - 1]
    assert (new >= conformal_threshold(scores, rate)) is above is (p <= Fraction(percent, 100))


@pytest.mark.parametrize(("n", "rate"), SUPPORTED)
@pytest.mark.parametrize("kind", ["continuous", "heavy tail"])
def test_false_positive_rate_over_many_calibrations(n: int, rate: float, kind: str) -> None:
    """One new image per calibration: the number of false alarms is binomial with the exact rate m / (n + 1) <= rate.

    Many new images per calibration: their number is beta-binomial, as one calibration's luck is shared by all of them.
    """
    rng = np.random.default_rng(n + round(1000 * rate))
    draw = rng.uniform if kind == "continuous" else lambda size: rng.pareto(0.5, size)
    calibrations = np.float32(draw(size=(DRAWS, n)))
    thresholds = np.array([conformal_threshold(row, rate) for row in calibrations])
    m = math.floor(Fraction(str(rate)) * (n + 1))
    assert allowed(n, rate) == m
    alarms = int((np.float32(draw(size=DRAWS)) >= thresholds).sum())
    low, high = stats.binom.interval(0.999, DRAWS, m / (n + 1))
    assert low <= alarms <= high
    many = (np.float32(draw(size=(DRAWS, 200))) >= thresholds[:, None]).sum(axis=1)
    law = stats.betabinom(200, m, n + 1 - m)
    assert abs(many.mean() - law.mean()) < 3.3 * law.std() / math.sqrt(DRAWS)
    assert many.mean() / 200 <= rate + 3.3 * law.std() / 200 / math.sqrt(DRAWS)
    # Not the mean alone: the whole distribution over calibrations is the one that `rate_interval` states.
    edges = np.unique(law.ppf([0.2, 0.4, 0.6, 0.8]))
    shares = np.diff([0, *law.cdf(edges), 1])
    counts = np.bincount(np.searchsorted(edges, many, side="left"), minlength=shares.size)
    assert stats.chisquare(counts, shares * DRAWS).pvalue > 1e-3

    if kind == "continuous":  # scores are uniform: the true rate of a threshold t is 1 - t
        low, high = rate_interval(n, rate)
        assert abs(np.mean((1 - thresholds >= low) & (1 - thresholds <= high)) - 0.95) < 0.02


@pytest.mark.parametrize("rate", RATES)
def test_ties_only_make_it_rarer(rate: float) -> None:
    rng = np.random.default_rng(3)
    n, levels = 100, 12
    thresholds = [conformal_threshold(rng.integers(0, levels, n) / levels, rate) for _ in range(DRAWS)]
    alarms = int((np.float32(rng.integers(0, levels, DRAWS) / levels) >= thresholds).sum())
    assert alarms <= stats.binom.ppf(0.999, DRAWS, rate)
    assert conformal_threshold(np.full(n, 0.5), rate) == just_above(0.5), "all equal: nothing equal is flagged"


def test_twenty_images_cannot_support_one_percent() -> None:
    with pytest.raises(ConfigError, match=r"20 normal images cannot support.* 0\.01.*smallest is 0\.048.*99 normal"):
        conformal_threshold(np.linspace(0, 1, 20), 0.01)
    assert smallest_rate(20) == pytest.approx(1 / 21)
    conformal_threshold(np.linspace(0, 1, 20), 0.048)  # the rate the message names is accepted


@pytest.mark.parametrize("n", [1, 2, 9, 19, 20, 99, 100, 12_345])
def test_the_named_smallest_rate_is_accepted(n: int) -> None:
    with pytest.raises(ConfigError) as caught:
        allowed(n, 1e-9)
    assert allowed(n, float(str(caught.value).split("smallest is ")[1].split(". ")[0])) == 1


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, math.nan])
def test_rates_out_of_range(rate: float) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        conformal_threshold([0.5] * 100, rate)


def test_decimal_rates_are_exact() -> None:
    assert [allowed(99, percent / 100) for percent in range(1, 100)] == list(range(1, 100))


@given(st.floats(0, 1))
def test_just_above_is_the_next_float32(value: float) -> None:
    above = np.float32(just_above(value))
    assert float(above) > value
    assert float(np.nextafter(above, np.float32(-1))) <= value
