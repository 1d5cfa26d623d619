"""A glance: its size, its pixels against OpenCV's, and that it is what gives the picture's features, on any encoder."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.detector import Detector
from anomalyclip.encoders.base import Features
from anomalyclip.encoders.glance import glance_size, parts, shrunk
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import area_means, see, shrunk_tensor
from anomalyclip.errors import ConfigError
from anomalyclip.features.key import key_of
from anomalyclip.opening import load

SIDE, GLANCE = 96, 48


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module", params=["torch", "onnx"])
def pocket(request: pytest.FixtureRequest) -> Detector:
    return load("pocket", runtime=request.param, image_size=SIDE, glance=GLANCE)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 700), st.integers(1, 20))
def test_a_glance_is_whole_patches_of_about_its_area_and_never_larger(
    rows: int, columns: int, side: int, patch: int
) -> None:
    height, width = rows * patch, columns * patch
    size = glance_size(height, width, side, patch)
    if size is None:
        half = patch / 2
        assert height * width <= side**2 or min(height, width) < patch + half or side > min(height, width) - half
        return
    assert all(one % patch == 0 and one >= patch for one in size)
    assert size[0] <= height
    assert size[1] <= width
    for mine, whole in zip(size, (height, width), strict=True):
        exact = whole * side / np.sqrt(height * width)
        assert abs(mine - exact) <= patch / 2 + 1e-6 or mine == patch


@pytest.mark.parametrize(("shape", "size"), [((64, 96), (32, 48)), ((70, 51), (32, 16)), ((33, 40), (32, 16))])
def test_it_is_shrunk_by_areas_as_opencv_does(shape: tuple[int, int], size: tuple[int, int]) -> None:
    values = pixels(2, 3, *shape)
    found = shrunk(values, size)
    for picture, expected in zip(found, values, strict=True):
        theirs = cv2.resize(np.moveaxis(expected, 0, -1), size[::-1], interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(np.moveaxis(picture, 0, -1), theirs, atol=2e-6)
    np.testing.assert_allclose(shrunk_tensor(torch.from_numpy(values), size).numpy(), found, atol=1e-6)
    np.testing.assert_allclose(area_means(shape[0], size[0]).sum(axis=1), 1, rtol=1e-6)


def test_the_picture_is_judged_from_afar_and_its_patches_from_near(pocket: Detector) -> None:
    given, request = pixels(2, 3, SIDE, SIDE), pocket.request
    assert request.glance == GLANCE
    found = pocket.features(given)
    near = pocket.features(given, replace(request, glance=None))
    far = pocket.features(shrunk(given, (GLANCE, GLANCE)), FeatureRequest(True, summaries=request.summaries))
    for layer, values in near.patches.items():
        np.testing.assert_allclose(found.patches[layer], values, atol=1e-5)
    np.testing.assert_allclose(found.image, far.image, atol=1e-5)
    for stage, values in far.summaries.items():
        np.testing.assert_allclose(found.summaries[stage], values, atol=1e-5)
        assert np.abs(values - near.summaries[stage]).max() > 1e-2
    assert found.grid == near.grid


def test_pictures_no_larger_than_the_glance_are_seen_once(pocket: Detector) -> None:
    small = pixels(1, 3, GLANCE, GLANCE)
    assert parts(small, pocket.request, 16)[1] is None
    once = pocket.features(small, replace(pocket.request, glance=None))
    np.testing.assert_array_equal(pocket.features(small).image, once.image)


def test_of_two_requests_one_may_ask_for_it(pocket: Detector) -> None:
    assert (FeatureRequest(tokens=(2,)) | pocket.request).glance == GLANCE
    with pytest.raises(ConfigError, match="for glance 32 and 48"):
        FeatureRequest(image=True, glance=32) | pocket.request


def test_the_picture_alone_can_be_asked_for(pocket: Detector) -> None:
    given = pixels(1, 3, SIDE, 64)
    alone = pocket.features(given, FeatureRequest(image=True, glance=GLANCE))
    assert alone.grid == (6, 4)
    far = pocket.features(shrunk(given, glance_size(SIDE, 64, GLANCE, 16)), FeatureRequest(image=True))
    np.testing.assert_allclose(alone.image, far.image, rtol=1e-5, atol=1e-5)


def test_a_cache_of_another_glance_is_another(pocket: Detector) -> None:
    facts, request = pocket.encoder.facts, pocket.request
    keys = {key_of(facts, replace(request, glance=one), SIDE, "fp32") for one in (None, 32, GLANCE)}
    assert len({key.digest for key in keys}) == 3
    assert {key.request.glance for key in keys} == {None, 32, GLANCE}


def test_gradients_reach_the_input_through_it() -> None:
    model = load("pocket", runtime="torch", image_size=SIDE, glance=GLANCE)
    given = torch.from_numpy(pixels(1, 3, SIDE, SIDE)).requires_grad_()
    found: Features = see(model.encoder.visual, given, FeatureRequest(image=True, glance=GLANCE))  # type: ignore[attr-defined]
    found.image.sum().backward()
    assert given.grad is not None
    assert given.grad.abs().max() > 0
