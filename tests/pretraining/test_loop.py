"""The whole recipe in miniature: it learns, and a run that was cut goes on as if it had not been."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.errors import ConfigError
from anomalyclip.pretraining import loop, shards
from anomalyclip.pretraining.language import encode_pictures, learn_language
from anomalyclip.pretraining.learn_prompts import learn_prompts, render_features, save_pocket_prompts
from anomalyclip.pretraining.recipe import (
    Cycle,
    LanguageRecipe,
    Phase,
    PromptRecipe,
    ReadoutRecipe,
    Recipe,
    SlimRecipe,
    Source,
)
from anomalyclip.pretraining.validate import report


@pytest.fixture
def recipe(tiny: str, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(shards, "SHARD", 24)
    monkeypatch.setattr("anomalyclip.pretraining.recipe.SHARD", 24)
    monkeypatch.setattr(loop, "standardise_stem", partial(shards.standardise_stem, count=16))
    monkeypatch.setattr(loop, "_LOG_EVERY", 3)
    monkeypatch.setattr(loop, "_SAVE_EVERY", 6)

    def in_process(root: Path, recipe: Recipe, stem: torch.nn.Module, workers: int) -> None:
        """Worker processes would not see this test's shard size."""
        for phase in recipe.phases:
            for *job, folder in shards.shard_jobs(root, recipe, phase):
                if not folder.is_dir():
                    shards._make_shard((stem, recipe.seed, *job, folder))

    monkeypatch.setattr(loop, "make_shards", in_process)
    first = Cycle((Phase(32, (Source(1),), 4, 8),), learning_rate=1e-3, warmup=2)
    second = Cycle((Phase(64, (Source(1, world=2), Source(1)), 2, 8),), learning_rate=1e-3, warmup=2)
    return Recipe(architecture=tiny, cycles=(first, second), ema=0.5)


def parameters(clip: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in clip.parameters()])


def test_a_cut_run_goes_on_as_if_it_had_not_been_cut(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = loop.pretrain(recipe, tmp_path / "whole", shards=tmp_path / "shards")

    def stop_after_eight(*arguments: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return pretraining_loss(*arguments, **options)  # type: ignore[arg-type]

    left, pretraining_loss = 8, loop.pretraining_loss
    monkeypatch.setattr(loop, "pretraining_loss", stop_after_eight)
    with pytest.raises(KeyboardInterrupt):
        loop.pretrain(recipe, tmp_path / "cut", shards=tmp_path / "shards")
    monkeypatch.setattr(loop, "pretraining_loss", pretraining_loss)
    cut = loop.pretrain(recipe, tmp_path / "cut", shards=tmp_path / "shards")
    torch.testing.assert_close(parameters(cut), parameters(whole), rtol=0, atol=1e-6)

    with pytest.raises(ConfigError, match="another recipe"):
        loop.pretrain(replace(recipe, ema=0.9), tmp_path / "cut", shards=tmp_path / "shards")
    later = replace(recipe, slim=SlimRecipe(hidden=8), readout=ReadoutRecipe(images=9))  # what comes after it
    loop.pretrain(later, tmp_path / "cut", shards=tmp_path / "shards")


def test_from_renders_to_a_model_that_detects(recipe: Recipe, tmp_path: Path) -> None:
    save_clip(tmp_path / "model.safetensors", loop.pretrain(recipe, tmp_path, shards=tmp_path / "shards"))
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row[2]) for row in csv.reader(file)]
    assert len(losses) == recipe.steps // 3
    assert losses[-1] < losses[0]
    stem = PRESETS[recipe.architecture].vision.stem
    assert stem is not None
    clip = load_clip(tmp_path / "model.safetensors")
    shapes = shards.tap_shapes(clip.visual.stem, 64)
    reader = shards.ShardReader(tmp_path / "shards", recipe, recipe.phases[-1], shapes)
    spoken = learn_language(clip, encode_pictures(clip, reader, 48), LanguageRecipe(steps=120, batch_size=16), seed=0)
    assert np.mean(spoken[-10:]) < 0.9 * np.mean(spoken[:10])
    prompts = PromptRecipe(images=16, epochs=3, depth=1)
    learner, curve = learn_prompts(clip, render_features(clip, prompts.images), prompts)
    assert curve[-1] < curve[0]
    save_pocket_prompts(tmp_path / "prompts.safetensors", clip, learner, prompts)
    results = report(tmp_path / "model.safetensors", tmp_path / "prompts.safetensors", tmp_path / "v.json", count=12)
    assert {name: row["images"] for name, row in results.items()} == {
        "renders_unseen_seeds": 12,
        "renders_unseen_families": 12,
    }
    assert all(0 <= row["image_auroc"] <= 1 and 0 <= row["pixel_auroc"] <= 1 for row in results.values())
