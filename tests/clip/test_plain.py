"""Plain CLIP's windows and stage tokens against masked attention over the whole image, and the reference's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.plain import class_features, class_norm, stage_tokens, window_features, window_patches
from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import ConfigError

GRID = 5  # 70 pixels, patches of 14


@pytest.fixture(scope="module")
def visual(golden_folder):
    return load_clip(golden_folder / "clip_small_openai.safetensors").visual


@pytest.fixture(scope="module")
def tokens(visual, golden):
    return visual.embed(torch.from_numpy(golden["images"]))


def masked_class_token(visual, tokens, seen):
    """All tokens go through every block, but attention sees `seen` only: what the class token then becomes, (B, D)."""
    mask = torch.full((tokens.shape[1],), float("-inf"))
    mask[seen] = 0
    x = tokens
    for block in visual.transformer.resblocks:
        B, N, D = x.shape
        heads, attention = block.attn.heads, block.attn
        projected = block.ln_1(x) @ attention.in_proj_weight.T + attention.in_proj_bias
        q, k, v = (part.view(B, N, heads, -1).transpose(1, 2) for part in projected.chunk(3, dim=-1))
        weights = (q @ k.transpose(-1, -2) / (D // heads) ** 0.5 + mask).softmax(dim=-1)
        x = x + attention.out_proj((weights @ v).transpose(1, 2).reshape(B, N, D))
        x = x + block.mlp(block.ln_2(x))
    return x[:, 0]


@pytest.mark.parametrize("post_norm", [True, False])
def test_a_window_is_attention_that_sees_nothing_else(visual, tokens, post_norm):
    found = window_features(visual, tokens, (2, 3), post_norm=post_norm)
    expected = []
    for scale in (2, 3):
        for top in range(GRID - scale + 1):
            for left in range(GRID - scale + 1):
                rows = [1 + (top + i) * GRID + left + j for i in range(scale) for j in range(scale)]
                first = masked_class_token(visual, tokens, [0, *rows])
                expected.append((visual.ln_post(first) if post_norm else first) @ visual.proj)
    assert found.shape == (3, 16 + 9, 64)
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-4, atol=1e-5)


def test_a_window_as_large_as_the_image_is_the_image(visual, tokens):
    whole = window_features(visual, tokens, (GRID,), post_norm=True)
    torch.testing.assert_close(whole[:, 0], class_features(visual, tokens, post_norm=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [0, 6])
def test_windows_that_do_not_fit_are_refused(scale):
    with pytest.raises(ConfigError, match=f"{scale} x {scale} patches do not fit a grid of 5 x 5"):
        window_patches((GRID, GRID), scale)


def test_stage_tokens_are_the_references_before_the_last_norm_and_projection(visual, tokens, golden):
    image, stages = stage_tokens(visual, tokens, range(1, 7), post_norm=False)
    np.testing.assert_allclose(image, golden["plain.image_feature"], rtol=1e-5, atol=1e-5)
    for layer, raw in stages.items():
        assert raw.shape == (3, GRID * GRID, 128)
        projected = visual.ln_post(raw) @ visual.proj
        np.testing.assert_allclose(projected, golden[f"plain.patch_{layer}"][:, 1:], rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match=r"layers \[7\] do not exist"):
        stage_tokens(visual, tokens, (7,), post_norm=False)


def test_the_class_token_is_normed_as_the_backbone_was_trained():
    assert class_norm(PRESETS["vit-l-14-336"].vision)
    assert not class_norm(PRESETS["pocket"].vision)
