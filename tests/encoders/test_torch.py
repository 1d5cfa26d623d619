"""One pass gives every kind of feature: each equal to what its own pass gives, and no kind changes another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.plain import stage_tokens, window_features
from anomalyclip.encoders import FeatureRequest, Features
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError

TEXT = TextConfig(16, 512, 32, 1, 2)
STEM = StemConfig(8, (StemStage(3, 2, 1, 8, 1), StemStage(3, 2, 2, 12, 2)), taps=(1, 2), stride=8)
EVERYTHING = FeatureRequest(True, (2, 4), (1, 4), windows=(2,), dpam="vv", dpam_blocks=2, post_norm_class=True)


def encoder(stem: StemConfig | None = None, **options: object) -> TorchEncoder:
    config = CLIPConfig(24, VisionConfig(32, 8, 32, 4, 2, stem=stem), TEXT)
    visual = random_clip(config, seed=2).visual.eval().requires_grad_(False)
    return TorchEncoder(visual, name="tiny", weights_sha256="0" * 64, **options)  # type: ignore[arg-type]


def pixels(count: int = 2, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, 3, height, width)).astype(np.float32)


def near(found: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_one_dual_pass_gives_what_single_passes_give() -> None:
    one, given = encoder(), pixels()
    found, x = one.encode(given, EVERYTHING), torch.from_numpy(given)
    local = one.visual(x, layers=(2, 4), dpam="vv", dpam_blocks=2, post_norm_class=True)
    image, plain = stage_tokens(one.visual, one.visual.embed(x), (1, 4), post_norm=True)
    near(found.image, local.image)
    near(found.image, image)
    for layer in (2, 4):
        near(found.patches[layer], local.patches[layer])
    for layer in (1, 4):
        near(found.tokens[layer], plain[layer])
    near(found.windows[2], window_features(one.visual, one.visual.embed(x), (2,), post_norm=True))
    assert found.grid == (4, 4)


def test_only_what_is_asked_for_comes() -> None:
    found = encoder(STEM).encode(pixels(), FeatureRequest(stages=(2,)))
    assert found.image is None
    assert not found.patches
    assert not found.tokens
    assert list(found.stages) == [2]
    assert found.stages[2].shape == (2, 12, 4, 4)


def test_stages_are_the_stems_own_and_change_nothing_else() -> None:
    one, given = encoder(STEM), pixels()
    both = one.encode(given, FeatureRequest(image=True, stages=(1, 2)))
    x = F_relu6(one.visual.stem.first(torch.from_numpy(given)))
    for number, stage in enumerate(one.visual.stem.stages, start=1):
        x = stage(x)
        near(both.stages[number], x.detach())
        told = one.facts.stages[number]
        assert x.shape[1:] == (told.channels, 32 // told.stride, 32 // told.stride)
    np.testing.assert_array_equal(both.image, one.encode(given, FeatureRequest(image=True)).image)


def F_relu6(x: torch.Tensor) -> torch.Tensor:  # noqa: N802
    return x.clamp(0, 6)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 40)])
def test_pictures_do_not_depend_on_their_neighbours(height: int, width: int) -> None:
    one, given = encoder(), pixels(3, height, width)
    together = one.encode(given, FeatureRequest(True, (4,), (3,), dpam="vv", dpam_blocks=2))
    for index in (2, 0):
        alone = one.encode(given[index : index + 1], FeatureRequest(True, (4,), (3,), dpam="vv", dpam_blocks=2))
        np.testing.assert_allclose(together.image[index], alone.image[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(together.patches[4][index], alone.patches[4][0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(together.tokens[3][index], alone.tokens[3][0])
    assert together.grid == (height // 8, width // 8)


def test_half_precision_stays_within_its_bound() -> None:
    request = FeatureRequest(True, (4,), dpam="vv", dpam_blocks=2)
    exact, half = encoder().encode(pixels(), request), encoder(precision="bf16")
    found = half.encode(pixels(), request)
    for a, b in ((exact.image, found.image), (exact.patches[4], found.patches[4])):
        distance = np.linalg.norm(a - b, axis=-1) / np.linalg.norm(a, axis=-1)
        assert 0 < distance.max() < half.facts.bound
    assert half.facts.rounding == "bf16"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (FeatureRequest(patches=(5,)), "layers .5. do not exist: this vision encoder has blocks 1..4"),
        (FeatureRequest(tokens=(0,)), "layers .0. do not exist"),
        (FeatureRequest(stages=(1,)), "no convolutional stem"),
        (FeatureRequest(verdict=True), "gives no verdict here"),
        (FeatureRequest(patches=(1,), dpam_blocks=9), "dpam_blocks must lie in 0..4"),
    ],
)
def test_what_there_is_not_is_refused(request_: FeatureRequest, said: str) -> None:
    one = encoder()
    assert one.offers(request_)
    with pytest.raises(ConfigError, match=said):
        one.encode(pixels(), request_)


def test_requests_join() -> None:
    words = FeatureRequest(True, (4,), dpam="vv", dpam_blocks=3, post_norm_class=False)
    memory = FeatureRequest(tokens=(2, 1), stages=(4,))
    both = words | memory
    assert both == FeatureRequest(True, (4,), (1, 2), (4,), dpam="vv", dpam_blocks=3, post_norm_class=False)
    assert both | both == both
    with pytest.raises(ConfigError, match="dpam 'vv' and 'qk'"):
        words | FeatureRequest(patches=(4,), dpam="qk", dpam_blocks=0)


def test_features_become_numpy() -> None:
    found = Features((1, 1), torch.ones(2, 3, dtype=torch.float16), {1: torch.zeros(2, 1, 3)}).numpy()
    assert found.image.dtype == np.float32
    assert isinstance(found.patches[1], np.ndarray)
    assert len(found) == 2


def test_half_precision_turns_its_weights_once_to_what_autocast_would(monkeypatch: pytest.MonkeyPatch) -> None:
    request = FeatureRequest(True, (4,), (3,), dpam="vv", dpam_blocks=2)
    turned = encoder(precision="bf16")
    monkeypatch.setattr("anomalyclip.encoders.torch._hold_in", lambda visual, dtype: None)
    cast = encoder(precision="bf16")
    assert turned.weight_bytes < 0.6 * cast.weight_bytes
    ours, theirs = turned.encode(pixels(), request), cast.encode(pixels(), request)
    np.testing.assert_array_equal(ours.image, theirs.image)
    np.testing.assert_array_equal(ours.patches[4], theirs.patches[4])
    np.testing.assert_array_equal(ours.tokens[3], theirs.tokens[3])
