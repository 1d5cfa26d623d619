"""Per-pixel thresholds: brute force over all values, and the promised share over many calibrations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.calibration.pixels import PixelShares
from anomalyclip.errors import ConfigError, InputError


def shares_of(maps: list[np.ndarray]) -> PixelShares:
    shares = PixelShares()
    for one in maps:
        shares.add(np.float32(one))
    return shares


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(10, 25), st.sampled_from([0.1, 0.2, 0.5]), st.integers(-30, 0))
def test_smallest_threshold_that_keeps_the_rate(seed: int, n: int, rate: float, exponent: int) -> None:
    rng = np.random.default_rng(seed)
    maps = [np.float32(rng.random(rng.integers(1, 8, 2)) * 2.0**exponent) for _ in range(n)]
    threshold = shares_of(maps).threshold(rate)

    def risk(at: float) -> float:
        return (sum(float((one >= np.float32(at)).mean()) for one in maps) + 1) / (n + 1)

    assert risk(threshold) <= rate + 1e-12
    below = threshold * (1 - 2**-11)  # one bin lower
    assert risk(below) > rate or threshold == 0


def test_expected_share_of_normal_pixels_over_many_calibrations() -> None:
    """Pixels of one image hang together (each image has its own level), which per-pixel quantiles would get wrong."""
    rng = np.random.default_rng(0)

    def images(count: int) -> list[np.ndarray]:
        return [np.clip(rng.beta(2, 6) + rng.normal(0, 0.05, (6, 6)), 0, 1).astype(np.float32) for _ in range(count)]

    losses = []
    for _ in range(100):
        threshold = np.float32(shares_of(images(20)).threshold(0.1))
        losses.append(float(np.mean([(one >= threshold).mean() for one in images(5)])))
    mean, error = np.mean(losses), np.std(losses) / np.sqrt(len(losses))
    assert mean <= 0.1 + 3 * error
    assert mean > 0.04, "not needlessly strict: at most 1 / (n + 1) below the rate, and a bin"


def test_images_count_alike_whatever_their_size() -> None:
    small, large = np.full((1, 1), 0.9), np.full((50, 50), 0.1)
    assert shares_of([small] * 4 + [large] * 6).threshold(0.4) > 0.9
    assert shares_of([small] * 2 + [large] * 8).threshold(0.4) < 0.9


def test_full_scale_can_be_exceeded_by_no_value() -> None:
    assert shares_of([np.ones((2, 2))] * 20).threshold(0.05) > 1


def test_too_few_images_and_bad_maps() -> None:
    with pytest.raises(ConfigError, match="3 normal images cannot support"):
        shares_of([np.ones((2, 2))] * 3).threshold(0.1)
    with pytest.raises(InputError, match="no number"):
        shares_of([np.array([[0.5, np.nan]])])
