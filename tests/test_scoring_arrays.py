"""The NumPy twin of scoring against torch's, SciPy and hand-made numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, special

from anomalyclip import scoring, scoring_arrays
from anomalyclip.errors import ConfigError
from anomalyclip.settings.scoring import SMOOTHED


def _features(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _text(seed: int, *shape: int) -> np.ndarray:
    text = _features(seed, *shape)
    return text / np.linalg.norm(text, axis=-1, keepdims=True)


@given(
    seed=st.integers(0, 1000),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 97), st.integers(1, 97)),
    sigma=st.sampled_from([0.0, 0.3, 1.0, 4.0, 12.5]),
    tau=st.sampled_from([0.01, 0.07, 1.0]),
    layers=st.integers(1, 3),
    batch=st.integers(1, 3),
    smoothed=st.sampled_from(SMOOTHED),
)
def test_maps_and_scores_are_those_of_torch(seed, grid, size, sigma, tau, layers, batch, smoothed):
    patches = [_features(seed + layer, batch, grid[0] * grid[1], 16) for layer in range(layers)]
    image, text = _features(seed + 7, batch, 16), _text(seed + 8, 2, 16)
    how = {"tau": tau, "sigma": sigma, "grid": grid, "smoothed": smoothed}
    expected = scoring.anomaly_map([torch.from_numpy(one) for one in patches], torch.from_numpy(text), size, **how)
    maps = scoring_arrays.anomaly_map(patches, text, size, **how)
    # What rounds cosines by 2e-7 is divided by tau.
    np.testing.assert_allclose(maps, expected.numpy(), atol=max(1e-5, 2e-7 / tau))
    scores = scoring_arrays.image_score(image, text, tau)
    np.testing.assert_allclose(
        scores, scoring.image_score(torch.from_numpy(image), torch.from_numpy(text), tau).numpy(), atol=1e-5
    )
    for share in (0.0, 0.05, 1.0):
        peaked = scoring.with_map_peak(torch.from_numpy(scores), torch.from_numpy(maps), 0.5, share)
        np.testing.assert_allclose(scoring_arrays.with_map_peak(scores, maps, 0.5, share), peaked.numpy(), atol=1e-6)
    assert maps.dtype == scores.dtype == np.float32


def test_log_odds_are_smoothed_as_scipy_does():
    patches, text = [_features(layer, 1, 12, 8) for layer in (1, 2)], _text(3, 2, 8)
    odds = np.mean(
        [special.logit(scoring_arrays.similarity(one, text, 0.5)[0, :, 1].astype(float)) for one in patches], 0
    )
    large = cv2.resize(odds.reshape(3, 4), (40, 30), interpolation=cv2.INTER_LINEAR)
    expected = special.expit(ndimage.gaussian_filter(large, 2.0))
    found = scoring_arrays.anomaly_map(patches, text, (30, 40), tau=0.5, sigma=2, grid=(3, 4), smoothed="log-odds")
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    plain = scoring_arrays.anomaly_map(patches, text, (30, 40), tau=0.5, sigma=2, grid=(3, 4))
    assert np.abs(found - plain).max() > 1e-2


def test_log_odds_however_sure_neither_overflow_nor_lose_their_order():
    sure = np.array([-200.0, -90.0, -80.0, 0.0, 80.0, 200.0], np.float32)
    found = scoring_arrays.logistic(sure)
    np.testing.assert_allclose(found, special.expit(sure.astype(float)), rtol=1e-6, atol=1e-45)
    assert (np.diff(found[1:4]) > 0).all()


def test_a_pair_of_words_per_image():
    patches, text = _features(1, 3, 6, 8), _text(2, 3, 2, 8)
    found = scoring_arrays.similarity(patches, text)
    for one, words, own in zip(patches, text, found, strict=True):
        np.testing.assert_allclose(own, scoring_arrays.similarity(one[None], words)[0], atol=1e-6)


@pytest.mark.parametrize("sigma", [0.5, 4.0, 9.0])
@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 7)])
def test_gaussian_is_scipys_also_where_the_map_is_smaller_than_the_kernel(sigma, shape):
    one = np.random.default_rng(3).uniform(size=shape).astype(np.float32)
    expected = ndimage.gaussian_filter(one.astype(np.float64), sigma, mode="reflect")
    np.testing.assert_allclose(scoring_arrays.gaussian_filter(one[None], sigma)[0], expected, atol=2e-6)


def test_features_of_zeros_are_no_division_by_zero():
    found = scoring_arrays.similarity(np.zeros((1, 2, 4), np.float32), _text(0, 2, 4))
    np.testing.assert_array_equal(found, np.full((1, 2, 2), 0.5, np.float32))


def test_what_is_no_number_stays_visible():
    image = np.full((1, 4), np.nan, np.float32)
    assert np.isnan(scoring_arrays.image_score(image, _text(0, 2, 4))).all()


def test_refusals():
    patches, text = _features(0, 1, 6, 4), _text(1, 2, 4)
    with pytest.raises(ConfigError, match="6 patches do not form a square grid"):
        scoring_arrays.anomaly_map([patches], text, 32)
    with pytest.raises(ConfigError, match="at least one layer"):
        scoring_arrays.anomaly_map([], text, 32)
    with pytest.raises(ConfigError, match="sigma must be 0 or more"):
        scoring_arrays.anomaly_map([patches], text, 32, sigma=-1, grid=(2, 3))
