"""Every setting of the embedded model's training, as frozen dataclasses; a run saves its own beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SHARD = 256
"""Renders per shard, the unit that is made, kept and resumed."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one image size: ``epochs`` passes over ``shards`` shards (a curriculum grows)."""

    image_size: int
    shards: int
    epochs: int
    batch_size: int

    @property
    def steps_per_epoch(self) -> int:
        """Full batches only."""
        return self.shards * SHARD // self.batch_size

    @property
    def steps(self) -> int:
        """Optimiser steps of the phase."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class LossWeights:
    """Weights of the pretraining terms; see :mod:`anomalyclip.pretraining.objective`."""

    caption: float = 0.2
    region: float = 0.2
    image: float = 1.0
    pixel: float = 1.0
    top: float = 0.5
    state: float = 1.0


@dataclass(frozen=True)
class PromptRecipe:
    """Learning the prompts on the finished CLIP, with the method's own loss (METHOD section 6).

    ``map_weight``: share of the map's peak in the image score; a small class token overlooks what the map sees.
    """

    images: int = 1600
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 111
    depth: int = 4
    deep_length: int = 4
    context_length: int = 12
    map_weight: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """One reproducible pretraining: architecture preset, data seeds, curriculum, optimiser, weights of the loss.

    ``text_every``: the text tower's terms enter every so many steps; they cost as much as all the rest.
    """

    architecture: str = "pocket"
    seed: int = 0
    phases: tuple[Phase, ...] = (
        Phase(image_size=224, shards=40, epochs=2, batch_size=32),
        Phase(image_size=224, shards=56, epochs=2, batch_size=32),
        Phase(image_size=320, shards=20, epochs=2, batch_size=32),
    )
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 200
    ema: float = 0.998
    loss: LossWeights = field(default_factory=LossWeights)
    phrases: int = 6
    text_every: int = 3
    prompts: PromptRecipe = field(default_factory=PromptRecipe)

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> tuple[Phase, int]:
        """Phase and number of the batch within its epoch, both of a 0-based step."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step % phase.steps_per_epoch
            step -= phase.steps
        raise IndexError("step beyond the last phase")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested types for JSON."""
        return asdict(self)


# Seeds of different uses never meet: training renders count up from 0, the others start far away.
VALIDATION_SEED = 900_000_000
UNSEEN_SEED = 910_000_000
PROMPT_SEED = 920_000_000
STATISTICS_SEED = 930_000_000
