"""Batches of fresh renders with their stem features, made in worker processes, a pure function of the step number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from anomalyclip.clip.stem import ConvStem
from anomalyclip.data.synthetic import FAMILIES, UNSEEN_FAMILIES, Sample, render
from anomalyclip.data.transforms import normalise
from anomalyclip.pretraining.recipe import STATISTICS_SEED, Recipe

SEEN_FAMILIES = tuple(name for name in FAMILIES if name not in UNSEEN_FAMILIES)
_MAX_BATCH = 1024  # seeds of one step: step * _MAX_BATCH + i, so a change of batch size never reuses another step's


@dataclass
class Batch:
    """Stem features (B, C, h, w) bf16, label maps (B, S, S) uint8, labels (B,) int64, and the words."""

    features: Tensor
    regions: Tensor
    labels: Tensor
    captions: list[str]
    normal_captions: list[str]
    region_captions: list[list[str]]
    subjects: list[str]


class RenderedBatches(Dataset[Batch]):
    """Item ``step`` is the whole batch of that step. The frozen stem runs in the worker, beside the renderer."""

    def __init__(self, recipe: Recipe, stem: ConvStem) -> None:
        self.recipe = recipe
        self.stem = stem

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> Batch:
        phase = self.recipe.phase_at(step)
        first = self.recipe.seed * 100_000_000 + step * _MAX_BATCH
        samples = [render(first + i, phase.image_size, families=SEEN_FAMILIES) for i in range(phase.batch_size)]
        return collate(samples, self.stem)


def collate(samples: list[Sample], stem: ConvStem) -> Batch:
    """Samples to a :class:`Batch`."""
    pixels = normalise(torch.from_numpy(np.stack([sample.image for sample in samples])))
    return Batch(
        features=stem_features(stem, pixels),
        regions=torch.from_numpy(np.stack([sample.labels for sample in samples])),
        labels=torch.tensor([int(sample.anomalous) for sample in samples]),
        captions=[sample.caption for sample in samples],
        normal_captions=[sample.normal_caption for sample in samples],
        region_captions=[[region.caption for region in sample.regions] for sample in samples],
        subjects=[sample.subject for sample in samples],
    )


@torch.no_grad()
def stem_features(stem: ConvStem, pixels: Tensor) -> Tensor:
    """Frozen features in bf16: twice as fast as fp32 where the CPU multiplies bf16, and half the traffic."""
    with torch.autocast("cpu", torch.bfloat16):
        return stem.features(pixels).to(torch.bfloat16).contiguous()


@torch.no_grad()
def standardise_stem(stem: ConvStem, recipe: Recipe, count: int = 64) -> None:
    """Start the stem's LayerNorm so that every channel has mean 0 and deviation 1 over renders.

    Rectified features have large means that say nothing and hide the small differences that matter.
    """
    size = recipe.phases[0].image_size
    samples = [render(STATISTICS_SEED + i, size, anomalous=False, families=SEEN_FAMILIES) for i in range(count)]
    features = torch.cat([collate(samples[i : i + 16], stem).features.float() for i in range(0, count, 16)])
    tokens = F.layer_norm(features.flatten(2).transpose(1, 2), (features.shape[1],)).flatten(0, 1)  # (M, C)
    deviation = tokens.std(dim=0).clamp(min=1e-2)
    stem.norm.weight.copy_(1 / deviation)
    stem.norm.bias.copy_(-tokens.mean(dim=0) / deviation)


def stream(recipe: Recipe, stem: ConvStem, start: int, workers: int = 1) -> Iterator[Batch]:
    """Batches of the steps from ``start`` on, in order."""
    loader: DataLoader[Batch] = DataLoader(
        RenderedBatches(recipe, stem),
        batch_size=None,
        sampler=range(start, recipe.steps),
        num_workers=workers,
        worker_init_fn=_one_thread,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,  # a forked child hangs once OpenMP has run here
    )
    yield from loader


def _one_thread(_: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
