"""Every setting of the embedded model's training, as frozen dataclasses; a run saves its own beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one image size (a curriculum goes from small to native)."""

    steps: int
    image_size: int
    batch_size: int


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
    """Learning the prompts on the finished CLIP, with the method's own loss (METHOD section 6)."""

    images: int = 1600
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 111
    depth: int = 4
    deep_length: int = 4
    context_length: int = 12


@dataclass(frozen=True)
class Recipe:
    """One reproducible pretraining: architecture preset, data seeds, curriculum, optimiser, weights of the loss."""

    architecture: str = "pocket"
    seed: int = 0
    phases: tuple[Phase, ...] = (
        Phase(steps=1600, image_size=128, batch_size=16),
        Phase(steps=500, image_size=160, batch_size=16),
        Phase(steps=150, image_size=224, batch_size=16),
    )
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warmup: int = 200
    ema: float = 0.998
    loss: LossWeights = field(default_factory=LossWeights)
    phrases: int = 6
    prompts: PromptRecipe = field(default_factory=PromptRecipe)

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> Phase:
        """The phase of a 0-based step."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
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
