"""Renders with the features of the frozen stem, made once and kept in shards on disk.

A shard is a folder: ``features.npy`` (256, F) fp16, all taps of an image in one row; ``regions.npy`` (256, S/2, S/2)
uint8 label maps; ``words.json``. It appears whole or not at all, and is a pure function of seed, size and number.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from anomalyclip.clip.stem import ConvStem
from anomalyclip.data.synthetic import UNSEEN_FAMILIES, Sample, render
from anomalyclip.data.synthetic.catalogue import inhabitants
from anomalyclip.data.transforms import normalise
from anomalyclip.pretraining.recipe import SHARD, STATISTICS_SEED, TRAINED_WORLD, Phase, Recipe, Source

_SEEDS_PER_PIXEL = 100_000  # image sizes are multiples of 16, so later worlds find room between them
_SEEDS_PER_WORLD = 50_000
_BATCH = 8


def shard_folder(root: Path, recipe: Recipe, size: int, source: Source, number: int) -> Path:
    """Where a shard lies."""
    return root / f"seed{recipe.seed}-{size}{source.name}" / f"{number:05d}"


def shard_jobs(root: Path, recipe: Recipe, phase: Phase) -> list[tuple[int, Source, int, Path]]:
    """Size, source, number and folder of every shard of a phase."""
    size = phase.image_size
    return [
        (size, source, number, shard_folder(root, recipe, size, source, number))
        for source in phase.sources
        for number in range(source.shards)
    ]


def seen_families(world: int) -> tuple[str, ...]:
    """The families of a world that pretraining may see."""
    return tuple(family.name for family in inhabitants(world) if family.name not in UNSEEN_FAMILIES)


SEEN_FAMILIES = seen_families(TRAINED_WORLD)


def make_shards(root: Path, recipe: Recipe, stem: ConvStem, workers: int) -> None:
    """Make the shards that ``recipe`` needs and that are not there yet, in ``workers`` processes."""
    jobs = {job[-1]: job for phase in recipe.phases for job in shard_jobs(root, recipe, phase)}
    missing = sorted(folder for folder in jobs if not folder.is_dir())
    if not missing:
        return
    todo = [(stem, recipe.seed, *jobs[folder]) for folder in missing]
    context = torch.multiprocessing.get_context("spawn")  # a forked child hangs once OpenMP has run here
    with context.Pool(workers, initializer=_one_thread) as pool:
        for _ in track(pool.imap_unordered(_make_shard, todo), total=len(todo), description="rendering shards"):
            pass


def _one_thread() -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _make_shard(job: tuple[ConvStem, int, int, Source, int, Path]) -> None:
    stem, seed, size, source, number, folder = job
    first = seed * 100_000_000 + size * _SEEDS_PER_PIXEL + (source.world - 1) * _SEEDS_PER_WORLD + number * SHARD
    families = source.families or seen_families(source.world)
    samples = [render(first + index, size, families=families, world=source.world) for index in range(SHARD)]
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    np.save(scratch / "features.npy", np.concatenate([_rows(stem, part) for part in _parts(samples)]))
    np.save(scratch / "regions.npy", np.stack([_halved(sample.labels) for sample in samples]))
    (scratch / "words.json").write_text(json.dumps([_words(sample) for sample in samples]))
    if folder.is_dir():
        shutil.rmtree(scratch)  # another process was faster
    else:
        scratch.rename(folder)


def _parts(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    yield from (samples[first : first + _BATCH] for first in range(0, len(samples), _BATCH))


def _rows(stem: ConvStem, samples: Sequence[Sample]) -> np.ndarray:
    return torch.cat([values.flatten(1) for values in stem_features(stem, samples)], dim=1).half().numpy()


@torch.inference_mode()
def stem_features(stem: ConvStem, samples: Sequence[Sample]) -> list[Tensor]:
    """The taps of rendered pictures, fp32."""
    return stem.features(torch.from_numpy(normalise(np.stack([sample.image for sample in samples]))))


def _halved(labels: np.ndarray) -> np.ndarray:
    """Half the size, the largest label of every 2x2 pixels, so that thin regions stay whole."""
    side = len(labels) // 2
    halved: np.ndarray = labels[: 2 * side, : 2 * side].reshape(side, 2, side, 2).max(axis=(1, 3))
    return halved


def _words(sample: Sample) -> dict[str, Any]:
    return {
        "label": int(sample.anomalous),
        "caption": sample.caption,
        "normal_caption": sample.normal_caption,
        "regions": [region.caption for region in sample.regions],
        "subject": sample.subject,
    }


@dataclass
class Batch:
    """Stem features, one (B, C, h, w) per tap; label maps (B, S/2, S/2) uint8; labels (B,) int64; and the words."""

    features: list[Tensor]
    regions: Tensor
    labels: Tensor
    captions: list[str]
    normal_captions: list[str]
    region_captions: list[list[str]]
    subjects: list[str]


class ShardReader:
    """Random access to the shards of one phase, memory-mapped."""

    def __init__(self, root: Path, recipe: Recipe, phase: Phase, shapes: Sequence[tuple[int, int, int]]):
        folders = [folder for *_, folder in shard_jobs(root, recipe, phase)]
        self._shapes = shapes
        self._features = [np.load(folder / "features.npy", mmap_mode="r") for folder in folders]
        self._regions = [np.load(folder / "regions.npy", mmap_mode="r") for folder in folders]
        self._words = [word for folder in folders for word in json.loads((folder / "words.json").read_text())]

    def __len__(self) -> int:
        return len(self._words)

    def batch(self, indices: Iterable[int], *, flip_rows: bool = False, flip_columns: bool = False) -> Batch:
        """The renders at ``indices``, mirrored as asked (the features as if they were equivariant)."""
        chosen = [int(index) for index in indices]
        rows = np.stack([self._features[index // SHARD][index % SHARD] for index in chosen])
        regions = np.stack([self._regions[index // SHARD][index % SHARD] for index in chosen])
        words = [self._words[index] for index in chosen]
        axes = [axis for axis, wanted in ((-2, flip_rows), (-1, flip_columns)) if wanted]
        return Batch(
            features=[values.flip(axes) for values in self._unpack(torch.from_numpy(rows).float())],
            regions=torch.from_numpy(regions).flip(axes),
            labels=torch.tensor([word["label"] for word in words]),
            captions=[word["caption"] for word in words],
            normal_captions=[word["normal_caption"] for word in words],
            region_captions=[word["regions"] for word in words],
            subjects=[word["subject"] for word in words],
        )

    def _unpack(self, rows: Tensor) -> list[Tensor]:
        parts = torch.split(rows, [channels * height * width for channels, height, width in self._shapes], dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]


@torch.inference_mode()
def tap_shapes(stem: ConvStem, size: int) -> list[tuple[int, int, int]]:
    """(C, h, w) of every tap at an image size."""
    channels = [values[0].shape for values in stem.features(torch.zeros(1, 3, size, size))]
    return [(shape[0], shape[1], shape[2]) for shape in channels]


def batches(recipe: Recipe, root: Path, stem: ConvStem, start: int) -> Iterator[Batch]:
    """The batch of every step from ``start`` on: each epoch its own order, each batch its own mirror image."""
    reader: ShardReader | None = None
    opened = None
    for step in range(start, recipe.steps):
        phase, number = recipe.at(step)
        if phase is not opened or reader is None:
            shapes = tap_shapes(stem, phase.image_size)
            reader, opened = ShardReader(root, recipe, phase, shapes), phase
        epoch_start = step - number  # tells the epochs of all phases apart
        order = np.random.default_rng([recipe.seed, 2, epoch_start]).permutation(len(reader))
        chosen = order[number * phase.batch_size : (number + 1) * phase.batch_size]
        rows, columns = np.random.default_rng([recipe.seed, step, 1]).random(2) < 0.5
        yield reader.batch(chosen, flip_rows=bool(rows), flip_columns=bool(columns))


@torch.no_grad()
def standardise_stem(stem: ConvStem, recipe: Recipe, count: int = 192) -> None:
    """Set the stem's statistics: mean and deviation of every tapped channel over normal renders."""
    size = recipe.phases[0].image_size
    samples = [
        render(STATISTICS_SEED + i, size, anomalous=False, families=seen_families(1), world=1) for i in range(count)
    ]
    parts = [stem_features(stem, part) for part in _parts(samples)]
    values = [torch.cat(tap).transpose(0, 1).flatten(1) for tap in zip(*parts, strict=True)]  # (C, M) per tap
    stem.mean.copy_(torch.cat([tap.mean(dim=1) for tap in values]))
    stem.deviation.copy_(torch.cat([tap.std(dim=1) for tap in values]).clamp(min=1e-3))
