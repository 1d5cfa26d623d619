"""WinCLIP against its definition, window by window and patch by patch in plain loops."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hmean

from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.judges.windows import WinCLIP, harmonic_over_windows, winclip_map
from anomalyclip.native.compile import SWITCH
from anomalyclip.settings import ModelSettings

SETTINGS = ModelSettings(image_size=70, layers=(6,), dpam="qk", dpam_blocks=0, sigma=0.0, post_norm_class=True)


@pytest.fixture
def model(clip, words):
    return winclip(clip, words)


def winclip(clip, words, settings=SETTINGS):
    encoder = TorchEncoder(clip.visual, name="small", weights_sha256="ab" * 32)
    return Detector(encoder, WinCLIP(words, settings), settings)


def by_loop(scores: np.ndarray, grid: int, scale: int) -> np.ndarray:
    """For every patch SciPy's harmonic mean of the windows that hold it."""
    side = grid - scale + 1
    out = np.zeros((grid, grid))
    for row in range(grid):
        for column in range(grid):
            covering = [
                scores[top * side + left]
                for top in range(side)
                for left in range(side)
                if top <= row < top + scale and left <= column < left + scale
            ]
            out[row, column] = hmean(covering)
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.data())
def test_windows_are_averaged_harmonically_over_each_patch(grid, data):
    scale = data.draw(st.integers(1, grid))
    count = (grid - scale + 1) ** 2
    seed = data.draw(st.integers(0, 1000))
    scores = np.random.default_rng(seed).uniform(0.01, 0.99, (2, count))
    found = harmonic_over_windows(torch.from_numpy(scores), (grid, grid), scale)
    np.testing.assert_allclose(found, [by_loop(one, grid, scale) for one in scores], rtol=1e-10)


def test_one_sure_normal_window_pulls_its_patches_down():
    """What the harmonic mean is for."""
    scores = torch.full((1, 16), 0.9)
    scores[0, 0] = 0.01
    found = harmonic_over_windows(scores, (5, 5), 2)[0]
    assert float(found[0, 0]) == pytest.approx(0.01)
    assert float(found[1, 1]) < 0.05 < 0.85 < float(found[4, 4])


def test_scales_and_image_are_averaged_harmonically():
    random = np.random.default_rng(0)
    image, windows = random.uniform(0.1, 0.9, 2), random.uniform(0.1, 0.9, (2, 16 + 9))
    found = winclip_map(torch.from_numpy(image), torch.from_numpy(windows), (5, 5), (2, 3))
    for index in range(2):
        maps = [by_loop(windows[index, :16], 5, 2), by_loop(windows[index, 16:], 5, 3), np.full((5, 5), image[index])]
        np.testing.assert_allclose(found[index], hmean(maps), rtol=1e-10)


def test_the_whole_method_restated(clip, images, model, words, monkeypatch):
    """Each window alone through the tower, softmax at 0.07, harmonic means, bilinear upsampling, no smoothing.

    Both sides on torch's operators: one takes gradients and one does not, and our kernels round otherwise.
    """
    monkeypatch.setenv(SWITCH, "0")

    def abnormal(feature):
        cosine = torch.nn.functional.normalize(feature, dim=-1) @ torch.from_numpy(words.features).T
        return float((cosine / 0.07).softmax(dim=-1)[1])

    visual, tokens = clip.visual, clip.visual.embed(images)
    scores, maps = model.predict(images)
    for index in range(3):
        expected = abnormal(clip.encode_image(images[index : index + 1])[0])
        assert float(scores[index]) == pytest.approx(expected, abs=1e-6)
        scales = [np.full((5, 5), expected)]
        for scale in (2, 3):
            found = []
            for top in range(6 - scale):
                for left in range(6 - scale):
                    patches = [1 + (top + i) * 5 + left + j for i in range(scale) for j in range(scale)]
                    part = tokens[index : index + 1, [0, *patches]]
                    for block in visual.transformer.resblocks:
                        part = block(part)
                    found.append(abnormal(visual.ln_post(part[0, 0]) @ visual.proj))
            scales.append(by_loop(np.array(found), 5, scale))
        grid = torch.from_numpy(hmean(scales))[None, None]
        wanted = torch.nn.functional.interpolate(grid, size=(70, 70), mode="bilinear", align_corners=False)[0, 0]
        np.testing.assert_allclose(maps[index], wanted, atol=1e-5)


def test_scores_come_from_features_alone(model, images, other_words):
    features = model.features(images)
    other = model.with_judge(model.judge.with_text(other_words))
    for one in (model, other):
        for a, b in zip(one.verdict(features), one.predict(images), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert np.abs(other.predict(images)[0] - model.predict(images)[0]).max() > 1e-3


def test_windows_lie_on_any_grid(model):
    """Every patch of a wide picture takes the windows that hold it, by plain loops."""
    rng = np.random.default_rng(3)
    grid, scale = (4, 7), 3
    scores = rng.uniform(0.1, 0.9, (1, (grid[0] - scale + 1) * (grid[1] - scale + 1)))
    found = harmonic_over_windows(torch.from_numpy(scores), grid, scale)[0]
    table = scores.reshape(grid[0] - scale + 1, grid[1] - scale + 1)
    for row in range(grid[0]):
        for column in range(grid[1]):
            over = table[max(0, row - scale + 1) : row + 1, max(0, column - scale + 1) : column + 1]
            assert float(found[row, column]) == pytest.approx(hmean(over.ravel()))
    pixels = rng.normal(size=(1, 3, 56, 98)).astype(np.float32)
    assert model.predict(pixels)[1].shape == (1, 56, 98)


def test_other_words_leave_the_first_model_alone(model, words, other_words):
    other = model.with_judge(model.judge.with_text(other_words))
    assert model.judge.text is words
    assert other.encoder is model.encoder
    told = [json.loads(json.dumps(one.provenance())) for one in (model, other)]
    assert [one["prompts"] for one in told] == ["winclip:nut", "winclip:wood"]
    assert told[0]["prompts_sha256"] != told[1]["prompts_sha256"]
    assert told[0]["method"] == "winclip"


def test_an_image_of_two_patches_has_no_middle_windows(clip, words):
    with pytest.raises(ConfigError, match="3 x 3 patches do not fit a grid of 2 x 2; raise the image size"):
        winclip(clip, words, replace(SETTINGS, image_size=28))
