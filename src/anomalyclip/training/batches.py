"""Samples in a seeded order that depends on seed and epoch alone, so that a run can go on in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.data.transforms import OPENAI
from anomalyclip.features.cache import FeatureCache
from anomalyclip.io.reading import Reading
from anomalyclip.training.encoding import load_pixels
from anomalyclip.training.prepare import MaskStore
from anomalyclip.training.samples import Sample


class Batch(NamedTuple):
    """B samples. ``rows`` (B, ...) are cached features, else ``pixels`` (B, 3, S, S) are to be encoded.

    labels: (B,) int64. masks: (B, S, S) uint8 of 0 and 1. known: (B,) bool, whether the mask is the truth.
    classes: (B,) int64, which of the run's class names.
    """

    rows: Tensor | None
    pixels: Tensor | None
    labels: Tensor
    masks: Tensor
    known: Tensor
    classes: Tensor


def epoch_batches(count: int, size: int, *, seed: int, epoch: int, first: int = 0) -> list[list[int]]:
    """The shuffled batches of one epoch (0-based), from batch ``first`` on; the last batch may be smaller."""
    order = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    return [order[start : start + size] for start in range(first * size, count, size)]


def share_of(batches: list[list[int]], rank: int, ranks: int) -> list[list[int]]:
    """What one of several devices takes of every batch; a batch smaller than the devices repeats a sample."""
    if ranks == 1:
        return batches
    return [batch[rank::ranks] or [batch[rank % len(batch)]] for batch in batches]


class SampleBatches(Dataset[Batch]):
    """Whole batches by their indices (torch's ``__getitems__``), from the cache, or as pixels where there is none."""

    def __init__(
        self,
        samples: Sequence[Sample],
        masks: MaskStore,
        cache: FeatureCache | None,
        size: int,
        classes: Sequence[str],
        reading: Reading | None = None,
        how: Preprocessing = OPENAI,
    ) -> None:
        self._reading, self._how = reading or Reading(), how
        self._samples, self._masks, self._cache, self._size = samples, masks, cache, size
        self._number = {name: number for number, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        samples = [self._samples[index] for index in indices]
        rows = pixels = None
        if self._cache is not None:
            rows = torch.from_numpy(np.stack([self._cache.get(sample.image_sha256) for sample in samples]))
        else:
            pixels = torch.from_numpy(
                np.stack([load_pixels(sample, self._size, self._reading, self._how) for sample in samples])
            )
        return Batch(
            rows,
            pixels,
            torch.tensor([sample.label for sample in samples]),
            torch.stack([self._masks.get(sample) for sample in samples]),
            torch.tensor([sample.known for sample in samples]),
            torch.tensor([self._number[sample.class_name] for sample in samples]),
        )


def as_is(batch: Any) -> Any:
    """The collate function of batches that are made whole."""
    return batch
