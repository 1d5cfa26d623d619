"""Quantiles against SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anomalyclip.calibration.binomial import beta_quantile, clopper_pearson


@given(st.floats(0.001, 0.999), st.integers(1, 3000), st.integers(1, 3000))
def test_beta_quantile_equals_scipy(q: float, a: int, b: int) -> None:
    assert beta_quantile(q, a, b) == pytest.approx(stats.beta.ppf(q, a, b), rel=1e-7, abs=1e-12)


def test_beta_quantile_at_the_ends() -> None:
    assert (beta_quantile(0.5, 0, 3), beta_quantile(0.5, 3, 0)) == (0.0, 1.0)
    assert beta_quantile(0.975, 100_000, 1) == pytest.approx(stats.beta.ppf(0.975, 100_000, 1), rel=1e-9)


@settings(max_examples=40)
@given(st.integers(1, 200), st.data(), st.sampled_from([0.8, 0.95]))
def test_clopper_pearson_equals_scipy(n: int, data: st.DataObject, level: float) -> None:
    hits = data.draw(st.integers(0, n))
    expected = stats.binomtest(hits, n).proportion_ci(level, method="exact")
    assert clopper_pearson(hits, n, level=level) == pytest.approx((expected.low, expected.high), rel=1e-7, abs=1e-12)
