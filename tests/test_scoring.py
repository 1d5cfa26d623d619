"""Scoring against the reference's numbers, SciPy and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from anomalyclip.errors import ConfigError
from anomalyclip.scoring import anomaly_map, gaussian_filter, image_score, on_grid, similarity, similarity_map


def test_image_score_equals_the_reference(golden):
    score = image_score(torch.from_numpy(golden["image_feature"]), torch.from_numpy(golden["text_features"][0]))
    np.testing.assert_allclose(score.numpy(), golden["image_score"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", range(1, 7))
def test_similarity_and_its_map_equal_the_reference(golden, layer):
    patches = torch.from_numpy(golden[f"patch_{layer}"])
    text = torch.from_numpy(golden["text_features"][0])
    np.testing.assert_allclose(similarity(patches, text).numpy(), golden[f"similarity_{layer}"], atol=1e-5)
    maps = similarity_map(patches[:, 1:], text, 70).movedim(1, -1)
    np.testing.assert_allclose(maps.numpy(), golden[f"similarity_map_{layer}"], atol=1e-5)


def test_anomaly_map_is_the_references_divided_by_the_number_of_layers(golden):
    patches = [torch.from_numpy(golden[f"patch_{layer}"])[:, 1:] for layer in (2, 4, 6)]
    text = torch.from_numpy(golden["text_features"][0])
    raw = anomaly_map(patches, text, 70, sigma=0)
    np.testing.assert_allclose(3 * raw.numpy(), golden["anomaly_map_raw"], atol=1e-5)
    smooth = anomaly_map(patches, text, 70, sigma=4)
    np.testing.assert_allclose(3 * smooth.numpy(), golden["anomaly_map_sigma4"], atol=1e-5)
    assert 0 <= float(smooth.min()) <= float(smooth.max()) <= 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 12, allow_nan=False), st.integers(0, 2**31)
)  # kernels wider than the image included
def test_gaussian_equals_scipy(height, width, sigma, seed):
    maps = np.random.default_rng(seed).random((2, height, width), dtype=np.float32)
    expected = np.stack([ndimage.gaussian_filter(one.astype(np.float64), sigma) for one in maps])
    actual = gaussian_filter(torch.from_numpy(maps), sigma).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_tau_sharpens(golden):
    features, text = torch.from_numpy(golden["image_feature"]), torch.from_numpy(golden["text_features"][0])
    sharp, soft = image_score(features, text, tau=0.01), image_score(features, text, tau=1.0)
    assert ((sharp - 0.5).abs() > (soft - 0.5).abs()).all()


def test_bad_shapes_and_values_are_refused():
    with pytest.raises(ConfigError, match="5 patches do not form a square grid"):
        on_grid(torch.zeros(1, 5, 2))
    with pytest.raises(ConfigError, match="at least one layer"):
        anomaly_map([], torch.zeros(2, 4), 8)
    with pytest.raises(ConfigError, match="sigma must be 0 or more"):
        gaussian_filter(torch.zeros(1, 4, 4), -1)


def test_tiny_anomaly_values_keep_their_order():
    """Far on the normal side fp32 cannot tell 1 - S_normal apart any more; the map still can."""
    text = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    angles = torch.linspace(0.0, 0.8, 25)
    patches = torch.stack([angles.cos(), angles.sin()], dim=-1).unsqueeze(0)
    values = anomaly_map([patches], text, 5, sigma=0.0).flatten()
    assert values.max() < 1e-7
    assert (values.diff() > 0).all()
