"""The text tower against the reference's numbers, and what deep prompts must and must not touch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import ConfigError


@pytest.fixture(scope="module")
def clip(golden_folder):
    return load_clip(golden_folder / "clip_small_openai.safetensors")


def test_plain_text_features_equal_the_reference(clip, golden):
    features = clip.encode_text(torch.from_numpy(golden["tokens_sample"]).long())
    np.testing.assert_allclose(features.numpy(), golden["plain_text_features"], rtol=1e-5, atol=1e-5)


def test_cutting_the_padding_changes_nothing(clip, golden):
    tokens = torch.from_numpy(golden["tokens_sample"]).long()[:2]
    whole = clip.text(clip.text.token_embedding(tokens), tokens.argmax(-1))
    torch.testing.assert_close(clip.encode_text(tokens), whole, rtol=1e-5, atol=1e-5)


def test_deep_prompts_replace_positions_one_to_n_only(clip):
    """Deep prompts equal to the tokens they replace change nothing; position 0 and n+1.. are kept."""
    text, generator = clip.text, torch.Generator().manual_seed(0)
    x = torch.randn(1, 10, 128, generator=generator) * 0.1
    eot = torch.tensor([9])
    entering = []
    hook = text.transformer.resblocks[1].register_forward_pre_hook(lambda _, args: entering.append(args[0].clone()))
    plain = text(x, eot)
    same = entering[0][0, 1:5]
    torch.testing.assert_close(text(x, eot, deep_prompts=[same]), plain)
    other = torch.randn(4, 128, generator=generator)
    changed = text(x, eot, deep_prompts=[other])
    hook.remove()
    assert (changed - plain).abs().max() > 1e-3
    torch.testing.assert_close(entering[2][0, 1:5], other)
    torch.testing.assert_close(entering[2][0, [0, 5, 6, 7, 8, 9]], entering[0][0, [0, 5, 6, 7, 8, 9]])


def test_half_rounding_is_an_option(clip):
    x, eot = torch.zeros(1, 8, 128), torch.tensor([7])
    deep = [torch.full((4, 128), 0.1)]
    rounded = text = clip.text(x, eot, deep_prompts=deep, round_deep_to_half=True)
    torch.testing.assert_close(rounded, clip.text(x, eot, deep_prompts=[deep[0].half().float()]))
    assert not torch.equal(text, clip.text(x, eot, deep_prompts=deep))


def test_too_many_deep_prompts_are_refused(clip):
    with pytest.raises(ConfigError, match="6 deep prompts need 7 text blocks"):
        clip.text(torch.zeros(1, 8, 128), torch.tensor([7]), deep_prompts=[torch.zeros(4, 128)] * 6)


def test_a_model_without_text_tower_says_so(golden_folder):
    bare = load_clip(golden_folder / "clip_small_openai.safetensors", text=False)
    assert bare.text is None
    with pytest.raises(ConfigError, match="without its text tower"):
        bare.encode_text(torch.zeros(1, 77, dtype=torch.int64))
