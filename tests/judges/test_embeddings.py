"""Embeddings from the rows of the token table that the words need, beside those from the whole table."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.judges.embeddings import class_embeddings
from anomalyclip.prompts import (
    ClassPrompts,
    PromptFile,
    PromptLearner,
    PromptMetadata,
    PromptSettings,
    ensemble_text_features,
    ensemble_tokens,
    load_prompts,
    save_prompts,
)

CLASSES = ("object", "metal_nut", "Zahnräder № 5")


@pytest.fixture
def weights(golden_folder):
    return golden_folder / "clip_small_openai.safetensors"


@pytest.mark.parametrize("ensemble", ["clip", "winclip-ensemble"])
def test_words_written_by_hand(weights, clip, ensemble):
    found, tower, _ = class_embeddings(weights, ensemble, CLASSES, backbone="small", vision=False)
    assert tower.weights_sha256 == clip.weights_sha256
    for name in CLASSES:
        whole = ensemble_text_features(clip, clip.tokenizer(), name, ensemble)
        assert torch.equal(torch.from_numpy(found[name].features), whole), name


def test_prompts_learned_with_names(weights, clip, tmp_path):
    learner = PromptLearner(
        clip.text_tower(), clip.tokenizer(), PromptSettings(n_ctx=4, depth=3, deep_length=2, object_aware=True)
    )
    metadata = PromptMetadata(backbone="small", weights_sha256=clip.weights_sha256, text_width=128, embed_dim=64)
    save_prompts(tmp_path / "aware", PromptFile.from_learner(learner, torch.eye(2, 64), metadata))
    found, _, _ = class_embeddings(weights, tmp_path / "aware", CLASSES[1:], backbone="small", vision=False)
    text = clip.text_tower()
    with torch.inference_mode():
        whole = ClassPrompts(learner, text, clip.tokenizer(), CLASSES[1:]).text_features(text)
    for pair, name in zip(whole, CLASSES[1:], strict=True):
        assert torch.equal(torch.from_numpy(found[name].features), pair), name


def test_the_authors_prompts(weights, clip, golden_folder):
    path = golden_folder / "epoch_1.pth"
    found, _, _ = class_embeddings(weights, path, ["object"], backbone="small", vision=False)
    learner = load_prompts(path).build_learner(clip.text_tower(), clip.tokenizer())
    with torch.inference_mode():
        whole = learner.text_features(clip.text_tower())
    assert torch.equal(torch.from_numpy(found["object"].features), whole)


@pytest.mark.parametrize("token", [-1, 49408, 2**40])
def test_a_token_that_no_vocabulary_has(weights, golden_folder, monkeypatch, token):
    file = load_prompts(golden_folder / "epoch_1.pth")
    ids = file.token_ids.clone()
    ids[0, -1] = token
    monkeypatch.setattr("anomalyclip.judges.embeddings.load_prompts", lambda path: replace(file, token_ids=ids))
    with pytest.raises(PromptError, match="the vocabulary has 49408 tokens"):
        class_embeddings(weights, golden_folder / "epoch_1.pth", ["object"], backbone="small", vision=False)


def test_only_the_rows_asked_for_are_held(weights, clip):
    wanted = ensemble_tokens(clip.tokenizer(), "nut", "clip")
    tower = load_clip(weights, vision=False, tokens=lambda outline: wanted)
    held = tower.text_tower().token_embedding.weight
    assert held.shape == (len(wanted.unique()), 128)
    assert held.untyped_storage().nbytes() == 4 * held.numel()
    assert torch.equal(tower.encode_text(wanted), clip.encode_text(wanted))
    with pytest.raises(ConfigError, match="loaded for other words"):
        tower.encode_text(ensemble_tokens(clip.tokenizer(), "wood", "clip"))
