"""Shards: whole or absent, the same for the same seed, and what is read is what was rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import random_clip
from anomalyclip.data.synthetic import render
from anomalyclip.pretraining import shards
from anomalyclip.pretraining.lite import fill_stem
from anomalyclip.pretraining.recipe import Cycle, Phase, Recipe, Source


@pytest.fixture
def small(tiny: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Recipe, torch.nn.Module]:
    monkeypatch.setattr(shards, "SHARD", 12)
    monkeypatch.setattr("anomalyclip.pretraining.recipe.SHARD", 12)
    recipe = Recipe(architecture=tiny, cycles=(Cycle((Phase(64, (Source(2),), 2, 8),), learning_rate=1e-3),))
    stem = random_clip(PRESETS[tiny]).visual.stem
    fill_stem(stem)
    return recipe, stem.requires_grad_(False)


def make(root: Path, recipe: Recipe, stem: torch.nn.Module) -> None:
    for *job, folder in shards.shard_jobs(root, recipe, recipe.phases[0]):
        shards._make_shard((stem, recipe.seed, *job, folder))


def test_rows_are_the_features_of_the_renders(tmp_path: Path, small: tuple[Recipe, torch.nn.Module]) -> None:
    recipe, stem = small
    make(tmp_path, recipe, stem)
    reader = shards.ShardReader(tmp_path, recipe, recipe.phases[0], shards.tap_shapes(stem, 64))
    assert len(reader) == 24
    batch = reader.batch([13, 2])
    first = 64 * shards._SEEDS_PER_PIXEL
    samples = [render(first + index, 64, families=shards.seen_families(1), world=1) for index in (13, 2)]
    for got, expected in zip(batch.features, shards.stem_features(stem, samples), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-3)  # kept in fp16
    assert batch.labels.tolist() == [int(sample.anomalous) for sample in samples]
    assert batch.captions == [sample.caption for sample in samples]
    assert batch.region_captions == [[region.caption for region in sample.regions] for sample in samples]
    for regions, sample in zip(batch.regions.numpy(), samples, strict=True):
        for y, x in np.ndindex(32, 32):
            assert regions[y, x] == sample.labels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max()


def test_mirrored_batches_mirror_features_and_labels_alike(
    tmp_path: Path, small: tuple[Recipe, torch.nn.Module]
) -> None:
    recipe, stem = small
    make(tmp_path, recipe, stem)
    reader = shards.ShardReader(tmp_path, recipe, recipe.phases[0], shards.tap_shapes(stem, 64))
    plain, mirrored = reader.batch([5]), reader.batch([5], flip_columns=True)
    torch.testing.assert_close(mirrored.regions, plain.regions.flip(2))
    for a, b in zip(mirrored.features, plain.features, strict=True):
        torch.testing.assert_close(a, b.flip(3))


def test_every_epoch_sees_every_render_once_in_its_own_order(
    tmp_path: Path, small: tuple[Recipe, torch.nn.Module]
) -> None:
    recipe, stem = small
    make(tmp_path, recipe, stem)
    seen = [batch.captions for batch in shards.batches(recipe, tmp_path, stem, 0)]
    assert len(seen) == recipe.steps == 6
    first, second = ([caption for captions in seen[i : i + 3] for caption in captions] for i in (0, 3))
    assert sorted(first) == sorted(second)
    assert first != second
    resumed = [batch.captions for batch in shards.batches(recipe, tmp_path, stem, 4)]
    assert resumed == seen[4:]


def test_statistics_standardise_the_taps(small: tuple[Recipe, torch.nn.Module]) -> None:
    recipe, stem = small
    shards.standardise_stem(stem, recipe, count=16)
    families = shards.seen_families(1)
    samples = [render(shards.STATISTICS_SEED + i, 64, anomalous=False, families=families, world=1) for i in range(16)]
    values = stem._standardise(shards.stem_features(stem, samples))
    for tap in values:
        assert tap.mean().abs() < 0.05
        assert 0.85 < tap.std() < 1.05  # outliers are cut


def test_a_phase_mixes_its_own_world_with_replayed_shards(
    tmp_path: Path, small: tuple[Recipe, torch.nn.Module]
) -> None:
    recipe, stem = small
    phase = Phase(64, (Source(1, world=2, families=("wood", "pill")), Source(1)), batch_size=8)
    for *job, folder in shards.shard_jobs(tmp_path, recipe, phase):
        shards._make_shard((stem, recipe.seed, *job, folder))
    reader = shards.ShardReader(tmp_path, recipe, phase, shards.tap_shapes(stem, 64))
    first = 64 * shards._SEEDS_PER_PIXEL
    later = render(first + shards._SEEDS_PER_WORLD + 3, 64, families=["wood", "pill"], world=2)
    replayed = render(first + 3, 64, families=shards.seen_families(1), world=1)
    assert phase.steps == 3
    assert reader.batch([3, 15]).captions == [later.caption, replayed.caption]


def test_later_worlds_hold_the_earlier() -> None:
    assert set(shards.seen_families(1)) < set(shards.seen_families(2)) <= set(shards.SEEN_FAMILIES)
