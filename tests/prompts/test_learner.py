from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.prompts import PromptLearner, PromptSettings, tokenize_templates

GOLDEN_SETTINGS = PromptSettings(n_ctx=12, depth=5, deep_length=4, round_deep_to_half=True)


def golden_learner(clip: CLIP, path: Path, settings: PromptSettings) -> PromptLearner:
    learner = PromptLearner(clip.text_tower(), clip.tokenizer(), settings)
    state = load_file(path / "prompt_learner.safetensors")
    learner.load_learned({name: state[name] for name, _ in learner.named_parameters()})
    return learner


def test_golden_prompts_and_features(golden_clip: CLIP, golden_path: Path, golden: dict[str, torch.Tensor]) -> None:
    learner = golden_learner(golden_clip, golden_path, GOLDEN_SETTINGS)
    inputs = learner()
    assert torch.equal(learner.tokenized_prompts.int(), golden["tokenized_prompts"])
    assert torch.equal(inputs.embeddings, golden["prompts"])
    text = golden_clip.text_tower()
    raw = text(inputs.embeddings, inputs.eot, inputs.deep, round_deep_to_half=True)
    torch.testing.assert_close(raw, golden["text_features_raw"], atol=1e-5, rtol=0)
    torch.testing.assert_close(learner.text_features(text), golden["text_features"][0], atol=1e-5, rtol=0)


def test_golden_differs_without_the_rounding(
    golden_clip: CLIP, golden_path: Path, golden: dict[str, torch.Tensor]
) -> None:
    exact = PromptSettings(n_ctx=12, depth=5, deep_length=4, round_deep_to_half=False)
    features = golden_learner(golden_clip, golden_path, exact).text_features(golden_clip.text_tower())
    gap = (features - golden["text_features"][0]).abs().max()
    assert 1e-5 < gap < 1e-2


def test_buffers_equal_the_reference_checkpoint(golden_clip: CLIP, golden_path: Path) -> None:
    learner = golden_learner(golden_clip, golden_path, GOLDEN_SETTINGS)
    state = load_file(golden_path / "prompt_learner.safetensors")
    own = learner.state_dict()
    assert set(own) == {name for name in state if "projections" not in name}
    for name, value in own.items():
        assert torch.equal(value.to(state[name].dtype), state[name]), name


def test_layout_of_the_tokens(small_clip: CLIP) -> None:
    tokenizer = small_clip.tokenizer()
    settings = PromptSettings(n_ctx=4, depth=1).for_class("nut")
    tokens = tokenize_templates(settings, tokenizer).tolist()
    (x,) = tokenizer.encode("X")
    for row, words in zip(tokens, ("nut.", "damaged nut."), strict=True):
        body = tokenizer.encode(words)
        expected = [tokenizer.sot, *[x] * 4, *body, tokenizer.eot]
        assert row == expected + [0] * (24 - len(expected))


def test_assembled_prompts(learner: PromptLearner, small_clip: CLIP) -> None:
    embeddings, eot, deep = learner()
    table = small_clip.text_tower().token_embedding.weight
    tokens = learner.tokenized_prompts
    assert embeddings.shape == (2, 24, 32)
    assert [tuple(tensor.shape) for tensor in deep] == [(2, 32), (2, 32)]
    for row, context in enumerate((learner.ctx_pos, learner.ctx_neg)):
        for position in range(24):
            own = context[0, 0, position - 1] if 1 <= position <= 4 else table[tokens[row, position]]
            assert torch.equal(embeddings[row, position], own)
        assert tokens[row, eot[row]] == 1999
    assert eot.dtype == torch.int64


def test_initial_values_are_seeded_and_small(small_clip: CLIP) -> None:
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    settings = PromptSettings(n_ctx=15, depth=3, deep_length=15)
    first, again, other = (PromptLearner(text, tokenizer, settings, seed=seed) for seed in (7, 7, 8))
    values = torch.cat([value.flatten() for value in first.learned().values()])
    assert all(torch.equal(value, again.learned()[name]) for name, value in first.learned().items())
    assert not torch.equal(first.ctx_pos, other.ctx_pos)
    assert not torch.equal(first.ctx_pos, first.ctx_neg)
    assert values.std() == pytest.approx(0.02, rel=0.1)
    assert abs(values.mean()) < 0.003


def test_global_randomness_is_left_alone(small_clip: CLIP) -> None:
    before = torch.get_rng_state()
    PromptLearner(small_clip.text_tower(), small_clip.tokenizer(), PromptSettings(n_ctx=2, depth=1))
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_reach_the_learned_tensors_only(learner: PromptLearner, small_clip: CLIP) -> None:
    text = small_clip.text_tower()
    learner.text_features(text)[1, 0].backward()
    names = {name for name, _ in learner.named_parameters()}
    assert names == {"ctx_pos", "ctx_neg", "compound_prompts_text.0", "compound_prompts_text.1"}
    assert learner.ctx_neg.grad is not None
    assert learner.ctx_neg.grad.abs().sum() > 0
    assert all(tensor.grad is not None and tensor.grad.abs().sum() > 0 for tensor in learner.compound_prompts_text)
    # the abnormal feature does not depend on the normal context
    assert learner.ctx_pos.grad is not None
    assert learner.ctx_pos.grad.abs().sum() == 0
    assert all(parameter.grad is None for parameter in text.parameters())
    assert all(not buffer.requires_grad for buffer in learner.buffers())


def test_features_have_unit_length_and_order(learner: PromptLearner, small_clip: CLIP) -> None:
    text = small_clip.text_tower()
    features = learner.text_features(text).detach()
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(2))
    with torch.no_grad():
        learner.ctx_pos *= 20
    moved = learner.text_features(text).detach()
    assert torch.allclose(moved[1], features[1], atol=1e-6)
    assert not torch.allclose(moved[0], features[0], atol=1e-3)


def test_depth_one_has_no_deep_prompts(small_clip: CLIP) -> None:
    text, settings = small_clip.text_tower(), PromptSettings(n_ctx=3, depth=1)
    shallow = PromptLearner(text, small_clip.tokenizer(), settings)
    inputs = shallow()
    assert inputs.deep == []
    raw = text(inputs.embeddings, inputs.eot)
    torch.testing.assert_close(shallow.text_features(text), raw / raw.norm(dim=1, keepdim=True))


def test_buffers_do_not_follow_the_table(small_clip: CLIP) -> None:
    text = small_clip.text_tower()
    learner = PromptLearner(text, small_clip.tokenizer(), PromptSettings(n_ctx=3, depth=1))
    before = learner.token_suffix_pos.clone()
    saved = text.token_embedding.weight.detach().clone()
    with torch.no_grad():
        text.token_embedding.weight += 1
    try:
        assert torch.equal(learner.token_suffix_pos, before)
    finally:
        with torch.no_grad():
            text.token_embedding.weight.copy_(saved)


def test_too_deep_or_too_long(small_clip: CLIP) -> None:
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    PromptLearner(text, tokenizer, PromptSettings(n_ctx=4, depth=3))
    with pytest.raises(ConfigError, match=r"depth 4 .* has 3"):
        PromptLearner(text, tokenizer, PromptSettings(n_ctx=4, depth=4))
    words = max(len(tokenizer.encode(text)) for text in ("object.", "damaged object."))
    fits = 24 - 2 - words
    PromptLearner(text, tokenizer, PromptSettings(n_ctx=fits, depth=1))
    with pytest.raises(ConfigError, match=f"n_ctx {fits + 1} .* context length 24"):
        PromptLearner(text, tokenizer, PromptSettings(n_ctx=fits + 1, depth=1))


def test_words_without_tokens_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        tokenize_templates(PromptSettings(), _Empty())


class _Empty(Tokenizer):
    def encode(self, text: str) -> list[int]:
        return []


def test_a_tokenizer_that_splits_the_placeholder_is_refused() -> None:
    class Splitting(Tokenizer):
        def encode(self, text: str) -> list[int]:
            return [1, 2] if text == "X" else super().encode(text)

    with pytest.raises(ConfigError, match="one token"):
        tokenize_templates(PromptSettings(), Splitting())


def test_load_learned_lists_what_does_not_fit(learner: PromptLearner) -> None:
    tensors = learner.learned()
    with pytest.raises(PromptError, match="ctx_neg"):
        learner.load_learned({name: value for name, value in tensors.items() if name != "ctx_neg"})
    with pytest.raises(PromptError, match=r"compound_prompts_text\.1: \(2, 31\)"):
        learner.load_learned({**tensors, "compound_prompts_text.1": torch.zeros(2, 31)})


def test_learned_is_a_copy(learner: PromptLearner) -> None:
    learner.learned()["ctx_pos"].zero_()
    assert learner.ctx_pos.abs().sum() > 0
