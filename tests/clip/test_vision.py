"""The vision tower against the reference's numbers, against transformers, and against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.vision import default_dpam_blocks, interpolate_positions
from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import ConfigError

LAYERS = range(1, 7)
TEXT = TextConfig(16, 600, 32, 2, 2)


@pytest.fixture(scope="module")
def clip(golden_folder) -> CLIP:
    return load_clip(golden_folder / "clip_small_openai.safetensors")


@pytest.fixture(scope="module")
def images(golden) -> torch.Tensor:
    return torch.from_numpy(golden["images"])


def close(actual: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_dpam_features_equal_the_reference(clip, images, golden):
    out = clip.visual(images, layers=LAYERS, dpam="vv", dpam_blocks=4)
    close(out.image, golden["image_feature"])
    for layer in LAYERS:
        close(out.patches[layer], golden[f"patch_{layer}"][:, 1:])


def test_single_path_features_equal_the_reference(clip, images, golden):
    out = clip.visual(images, layers=LAYERS, dpam="qk")
    close(out.image, golden["plain.image_feature"])
    for layer in LAYERS:
        close(out.patches[layer], golden[f"plain.patch_{layer}"][:, 1:])


def test_the_two_differ_where_they_should(clip, images):
    dual = clip.visual(images, layers=LAYERS, dpam="vv", dpam_blocks=4)
    plain = clip.visual(images, layers=LAYERS, dpam="qk")
    torch.testing.assert_close(dual.image, plain.image)  # the local path never feeds back
    torch.testing.assert_close(dual.patches[2], plain.patches[2])
    assert (dual.patches[3] - plain.patches[3]).abs().max() > 0.1


def test_positions_equal_the_reference(clip, golden):
    before = clip.visual.positional_embedding.clone()
    close(before, golden["pos_embed_before"])
    close(interpolate_positions(before, (5, 5)), golden["pos_embed_after"])
    clip.visual(torch.zeros(1, 3, 70, 70))
    assert torch.equal(clip.visual.positional_embedding, before)  # the reference overwrites its table; we must not


@pytest.mark.parametrize("mode", ["vv", "qq", "kk"])
def test_dual_attention_equals_explicit_matrices(clip, mode):
    """softmax(M M^T / sqrt(d)) V per head, written out with loops."""
    attention = clip.visual.transformer.resblocks[3].attn
    x = torch.randn(2, 7, 128, generator=torch.Generator().manual_seed(0))
    plain, local = attention.dual(x, mode)
    weights, biases = attention.in_proj_weight.split(128), attention.in_proj_bias.split(128)
    q, k, v = (x @ weight.T + bias for weight, bias in zip(weights, biases, strict=True))
    own = {"vv": v, "qq": q, "kk": k}[mode]
    for actual, left, right in ((plain, q, k), (local, own, own)):
        heads = []
        for head in range(2):
            part = slice(64 * head, 64 * head + 64)
            matrix = (left[..., part] @ right[..., part].transpose(1, 2) / math.sqrt(64)).softmax(-1)
            heads.append(matrix @ v[..., part])
        torch.testing.assert_close(actual, attention.out_proj(torch.cat(heads, -1)), rtol=1e-5, atol=1e-5)


def test_batching_changes_nothing(clip, images):
    together = clip.visual(images, layers=[6], dpam_blocks=4)
    alone = [clip.visual(image[None], layers=[6], dpam_blocks=4) for image in images]
    torch.testing.assert_close(together.image, torch.cat([out.image for out in alone]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [28, 56, 70, 98])
def test_any_square_size(clip, size):
    out = clip.visual(torch.zeros(1, 3, size, size), layers=[1])
    assert out.patches[1].shape == (1, (size // 14) ** 2, 64)


@pytest.mark.parametrize(("depth", "blocks"), [(24, 19), (12, 10), (6, 5), (4, 3)])
def test_default_dual_blocks_keep_the_proportion(depth, blocks):
    assert default_dpam_blocks(depth) == blocks


@pytest.mark.parametrize("options", [{"layers": [0]}, {"layers": [7]}, {"dpam_blocks": 7}, {"dpam_blocks": -1}])
def test_settings_outside_the_depth_are_refused(clip, options):
    with pytest.raises(ConfigError, match=r"blocks 1\.\.6|0\.\.6"):
        clip.visual(torch.zeros(1, 3, 56, 56), **options)


def test_a_stem_takes_the_place_of_the_patch_embedding():
    """Tokens of the stem (its own arithmetic: test_stem.py) enter as CLIP's patches do: class, positions, LN_pre."""
    stem = StemConfig(first=8, stages=(StemStage(3, 1, 2, 12, 1), StemStage(3, 2, 2, 16, 2)), taps=(1, 2), stride=4)
    visual = random_clip(CLIPConfig(24, VisionConfig(32, 4, 32, 2, 2, stem=stem), TEXT)).visual
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    patches, grid, _ = visual.stem(x)
    assert grid == (8, 8)
    tokens = torch.cat([visual.class_embedding.expand(2, 1, 32), patches], 1) + visual.positional_embedding
    expected = torch.nn.functional.layer_norm(tokens, (32,), visual.ln_pre.weight, visual.ln_pre.bias)
    torch.testing.assert_close(visual.embed(x), expected)
    out = visual(torch.zeros(1, 3, 48, 48), layers=[2])
    assert out.patches[2].shape == (1, 144, 24)
