"""Object-aware prompts against one learner per class, and what is shared."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from anomalyclip.errors import ConfigError
from anomalyclip.prompts import (
    ClassPrompts,
    PromptFile,
    PromptLearner,
    PromptMetadata,
    PromptSettings,
    load_prompts,
    save_prompts,
)

CLASSES = ("metal_nut", "wood", "a rather long name of a thing")
COOP = PromptSettings(
    n_ctx=4,
    depth=1,
    normal_words="normal object.",
    abnormal_words="anomalous object.",
    shared_context=True,
    object_aware=True,
)


@pytest.fixture(params=["coop", "deep"])
def settings(request):
    return COOP if request.param == "coop" else PromptSettings(n_ctx=4, depth=3, deep_length=2, object_aware=True)


def test_every_class_gets_what_a_learner_with_its_words_gives(small_clip, settings):
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    learner = PromptLearner(text, tokenizer, settings, seed=1)
    prompts = ClassPrompts(learner, text, tokenizer, CLASSES)
    found = prompts.text_features(text)
    assert found.shape == (3, 2, 16)
    for name, pair in zip(CLASSES, found, strict=True):
        alone = PromptLearner(text, tokenizer, settings.for_class(name), seed=1)
        alone.load_learned(learner.learned())
        torch.testing.assert_close(pair, alone.text_features(text), rtol=1e-4, atol=1e-5)
    some = prompts.text_features(text, torch.tensor([2, 0]))
    torch.testing.assert_close(some, found[[2, 0]], rtol=1e-4, atol=1e-5)


def test_the_words_are_those_of_the_paper(small_clip):
    filled = COOP.for_class("metal_nut")
    assert filled.templates == ("X X X X normal metal nut.", "X X X X anomalous metal nut.")


def test_a_shared_context_is_one_parameter_with_both_gradients(small_clip):
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    learner = PromptLearner(text, tokenizer, COOP)
    assert list(dict(learner.named_parameters())) == ["ctx_pos"]
    pairs = ClassPrompts(learner, text, tokenizer, CLASSES[:2]).text_features(text)
    gradients = []
    for side in (0, 1):
        (gradient,) = torch.autograd.grad(pairs[:, side].sum(), learner.ctx_pos, retain_graph=True)
        gradients.append(gradient)
    (both,) = torch.autograd.grad(pairs.sum(), learner.ctx_pos)
    torch.testing.assert_close(both, sum(gradients), rtol=1e-4, atol=1e-5)
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients)


def test_files_keep_the_kind(small_clip, tmp_path, settings):
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    learner = PromptLearner(text, tokenizer, settings, seed=2)
    metadata = PromptMetadata(
        backbone="tiny",
        weights_sha256="ab" * 32,
        text_width=32,
        embed_dim=16,
        method="coop",
        post_norm_class=True,
        dpam="qk",
    )
    save_prompts(tmp_path / "p.safetensors", PromptFile.from_learner(learner, learner.text_features(text), metadata))
    found = load_prompts(tmp_path / "p.safetensors")
    assert (found.settings, found.metadata) == (settings, metadata)
    built = found.build_learner(text, tokenizer)
    for name, value in learner.learned().items():
        torch.testing.assert_close(built.learned()[name], value, rtol=0, atol=0)
    torch.testing.assert_close(found.text_features, learner.text_features(text).detach())


def test_new_settings_do_not_change_old_hashes(prompts):
    """Files that are neither keep the hash they were published with; those that are have their own."""
    assert (
        prompts.sha256
        == replace(prompts, settings=replace(prompts.settings, shared_context=False, object_aware=False)).sha256
    )
    aware = replace(prompts, settings=replace(prompts.settings, object_aware=True))
    assert aware.sha256 != prompts.sha256


@pytest.mark.parametrize(("name", "message"), [("", "must not be empty"), ("x " * 40, "do not fit the context length")])
def test_names_that_cannot_fill_the_prompts_are_refused(small_clip, name, message):
    text, tokenizer = small_clip.text_tower(), small_clip.tokenizer()
    with pytest.raises(ConfigError, match=message):
        ClassPrompts(PromptLearner(text, tokenizer, COOP), text, tokenizer, ["nut", name])
