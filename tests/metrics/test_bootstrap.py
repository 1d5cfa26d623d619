"""Bootstrap intervals: the vectorised path against the plain one, and against SciPy's."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics import auroc, average_precision, bootstrap_interval, f1_max

METRICS = [auroc, average_precision, f1_max]


def sample(seed: int, size: int = 80) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = np.arange(size) % 3 == 0
    return np.round(random.normal(size=size) + target, 1), target  # rounding makes ties


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_vectorised_equals_plain(metric: Callable, stratified: bool) -> None:
    preds, target = sample(0)
    fast = bootstrap_interval(metric, preds, target, 60, seed=3, stratified=stratified)
    plain = bootstrap_interval(lambda p, t: metric(p, t), preds, target, 60, seed=3, stratified=stratified)
    assert fast == pytest.approx(plain, abs=1e-12)
    assert fast.value == metric(preds, target)
    assert fast.low < fast.value < fast.high


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_agrees_with_scipys_percentile_bootstrap(metric: Callable) -> None:
    preds, target = sample(1)
    ours = bootstrap_interval(metric, preds, target, 4000, seed=1, stratified=False, level=0.9)
    theirs = stats.bootstrap(
        (preds, target), lambda p, t: metric(p, t), n_resamples=2000, paired=True, vectorized=False,
        confidence_level=0.9, method="percentile", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert ours[1:] == pytest.approx(tuple(theirs), abs=0.02)


def test_stratified_spread_equals_theory() -> None:
    """m anomalous scores drawn against a single normal one: the variance of AUROC is p (1 - p) / m."""
    preds = np.array([0.5] + [0.0] * 60 + [1.0] * 140)
    target = np.array([False] + [True] * 200)
    low, high = bootstrap_interval(auroc, preds, target, 20_000, seed=0)[1:]
    spread = 1.96 * np.sqrt(0.7 * 0.3 / 200)
    assert (low, high) == pytest.approx((0.7 - spread, 0.7 + spread), abs=0.006)


def test_covers_the_true_value_about_as_often_as_it_says() -> None:
    random, covered, truth = np.random.default_rng(5), 0, stats.norm.cdf(1 / np.sqrt(2))
    for seed in range(200):
        preds, target = random.normal(size=120), np.arange(120) < 60
        preds[target] += 1.0
        _, low, high = bootstrap_interval(auroc, preds, target, 200, seed=seed)
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_seed_and_level() -> None:
    preds, target = sample(2)
    first = bootstrap_interval(auroc, preds, target, seed=7)
    assert first == bootstrap_interval(auroc, preds, target, seed=7)
    assert first != bootstrap_interval(auroc, preds, target, seed=8)
    wide, narrow = (bootstrap_interval(auroc, preds, target, seed=7, level=level) for level in (0.99, 0.5))
    assert wide.low < first.low < narrow.low < narrow.high < first.high < wide.high


def test_undefined_metrics_have_undefined_intervals() -> None:
    assert np.isnan(bootstrap_interval(auroc, [0.1, 0.2], [1, 1])).all()
    assert np.isnan(bootstrap_interval(auroc, [], [])).all()


def test_resamples_without_a_class_are_left_out() -> None:
    preds, target = np.linspace(0, 1, 6), np.arange(6) == 5  # a third of the draws miss the only anomaly
    assert bootstrap_interval(auroc, preds, target, 200, stratified=False) == (1.0, 1.0, 1.0)


def test_bad_settings_and_input() -> None:
    with pytest.raises(ConfigError, match="`n`"):
        bootstrap_interval(auroc, [0.1, 0.2], [0, 1], 0)
    with pytest.raises(ConfigError, match="`level`"):
        bootstrap_interval(auroc, [0.1, 0.2], [0, 1], level=95)
    with pytest.raises(InputError, match="1 of 2 scores are NaN"):
        bootstrap_interval(auroc, [0.1, np.nan], [0, 1])


def test_large_sets_are_fast_and_drawn_in_pieces() -> None:
    preds, target = sample(3, size=5000)
    start = time.perf_counter()
    interval = bootstrap_interval(auroc, preds, target)
    assert time.perf_counter() - start < 5  # 1,000 calls of the plain function take far longer on a busy core
    assert interval.low < interval.value < interval.high
