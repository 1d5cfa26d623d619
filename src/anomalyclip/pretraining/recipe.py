"""Every setting of the embedded model's training, as frozen dataclasses; a run saves its own beside its weights."""

from __future__ import annotations

import math
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

from anomalyclip.settings.scoring import Smoothed

SHARD = 256
"""Renders per shard, the unit that is made, kept and resumed."""


HARD = (
    "colon",
    "endoscopy",
    "head_mri",
    "skin",
    "ultrasound",
    "body_ct",
    "magnetic_tile",
    "brushed_metal",
    "machined_metal",
    "painted_metal",
    "wood",
    "fabric",
    "leather",
    "concrete",
    "solar_cell",
    "bottle",
    "capsule",
    "food",
    "circuit_board",
)
"""Families in which the model of the second cycle still erred most, and some that it must not forget."""


@dataclass(frozen=True)
class Source:
    """So many shards of a world (a version of the renderer's tables), of all its seen families or of ``families``."""

    shards: int
    world: int = 1
    families: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Tells the folders of different sources apart."""
        chosen = f"-{zlib.crc32(' '.join(self.families).encode()):08x}" if self.families else ""
        return (f"-world{self.world}" if self.world > 1 else "") + chosen


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one image size: ``epochs`` passes over the shards of all ``sources``, mixed."""

    image_size: int
    sources: tuple[Source, ...]
    epochs: int = 1
    batch_size: int = 32

    @property
    def steps_per_epoch(self) -> int:
        """Full batches only."""
        return sum(source.shards for source in self.sources) * SHARD // self.batch_size

    @property
    def steps(self) -> int:
        """Optimiser steps of the phase."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Cycle:
    """Phases under one rise and fall of the learning rate; a later cycle starts from the averaged weights."""

    phases: tuple[Phase, ...]
    learning_rate: float
    warmup: int = 200

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def rate(self, step: int) -> float:
        """Learning rate at a 0-based step of the cycle: linear warm-up, then cosine to 2% of the peak."""
        warm = min(1.0, (step + 1) / self.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.learning_rate * warm * (0.02 + 0.98 * cosine)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the pretraining terms; see :mod:`anomalyclip.pretraining.objective`."""

    caption: float = 0.2
    region: float = 0.2
    image: float = 1.0
    pixel: float = 1.0
    top: float = 0.5
    state: float = 1.0
    calm: float = 0.0


@dataclass(frozen=True)
class LanguageRecipe:
    """The text tower's own phase on the renders of the last phase; see :mod:`anomalyclip.pretraining.language`.

    ``region``: weight of the defects' words beside the captions.
    ``lean``: of hand-written words towards the learned prompts, see :func:`anomalyclip.pretraining.leaning.lean`.
    """

    images: int = 3072
    steps: int = 450
    batch_size: int = 64
    learning_rate: float = 1e-3
    region: float = 0.5
    lean: float = 2.5


@dataclass(frozen=True)
class PromptRecipe:
    """Learning the prompts on the finished CLIP, with the method's own loss (METHOD section 6).

    Short and gentle: at the published 1e-3 the states of so small a model run apart to opposite ends within two epochs,
    and what tells renders apart then counts for more than what tells real images apart (docs/pocket-log.md, run 15).

    ``map_weight``: share of the map's peak in the image score; a small class token overlooks what the map sees.
    """

    images: int = 800
    epochs: int = 4
    batch_size: int = 8
    learning_rate: float = 3e-4
    seed: int = 111
    depth: int = 4
    deep_length: int = 4
    context_length: int = 12
    map_weight: float = 0.5


@dataclass(frozen=True)
class SlimRecipe:
    """Hidden units that others speak for go from the finished image tower; see
    :func:`anomalyclip.pretraining.slimming.slim` (docs/pocket-log.md, run 46).

    ``hidden``: units that stay in every MLP. ``images``: renders that they are weighed on.
    """

    hidden: int = 128
    images: int = 160


@dataclass(frozen=True)
class ReadoutRecipe:
    """The read-out of the stem beside the finished prompts, on renders of READOUT_WORLD (docs/pocket-log.md, run 25).

    ``photographs``: renders of defects on photographs of surfaces beside them (run 34).
    ``penalty``, ``calm``, ``steady``: see :func:`anomalyclip.pretraining.readout.fit`; so strong that no single channel
    decides.
    ``glance``: side of the look that is read out, and that the class token is of (run 38).
    ``share``: of the read-out in the picture's part of the score. ``map_weight``: of the map's peak in the whole.
    ``smoothed``: of what the map is a mean (run 40).
    """

    images: int = 1400
    photographs: int = 400
    seed: int = 1701
    penalty: float = 1e-3
    calm: float = 1.0
    steady: float = 0.3
    glance: int = 160
    share: float = 0.6
    map_weight: float = 0.4
    smoothed: Smoothed = "log-odds"


@dataclass(frozen=True)
class Recipe:
    """One reproducible pretraining: architecture preset, data seeds, curriculum, optimiser, weights of the loss.

    ``text_every``: the text tower's terms enter every so many steps; they cost as much as all the rest.
    """

    architecture: str = "pocket"
    seed: int = 0
    cycles: tuple[Cycle, ...] = (
        Cycle(
            (
                Phase(224, (Source(40),), epochs=2),
                Phase(224, (Source(56),), epochs=2),
                Phase(320, (Source(20),), epochs=2),
            ),
            learning_rate=1e-3,
        ),
        Cycle(
            (
                Phase(224, (Source(24, world=2), Source(12))),
                Phase(320, (Source(24, world=2), Source(12))),
            ),
            learning_rate=6e-4,
            warmup=60,
        ),
        Cycle(
            (Phase(320, (Source(24, world=3, families=HARD), Source(8, world=2), Source(4))),),
            learning_rate=4e-4,
            warmup=40,
        ),
    )
    weight_decay: float = 0.05
    ema: float = 0.998
    loss: LossWeights = field(default_factory=LossWeights)
    phrases: int = 6
    text_every: int = 3
    language: LanguageRecipe = field(default_factory=LanguageRecipe)
    prompts: PromptRecipe = field(default_factory=PromptRecipe)
    slim: SlimRecipe = field(default_factory=SlimRecipe)
    readout: ReadoutRecipe = field(default_factory=ReadoutRecipe)

    @property
    def steps(self) -> int:
        """Optimiser steps of all cycles."""
        return sum(cycle.steps for cycle in self.cycles)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of all cycles, in order."""
        return tuple(phase for cycle in self.cycles for phase in cycle.phases)

    def at(self, step: int) -> tuple[Phase, int]:
        """Phase and number of the batch within its epoch, both of a 0-based step."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step % phase.steps_per_epoch
            step -= phase.steps
        raise IndexError("step beyond the last phase")

    def cycle_at(self, step: int) -> tuple[Cycle, int]:
        """Cycle and the step within it, of a 0-based step."""
        for cycle in self.cycles:
            if step < cycle.steps:
                return cycle, step
            step -= cycle.steps
        raise IndexError("step beyond the last cycle")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested types for JSON."""
        return asdict(self)


TRAINED_WORLD = 3
"""The world of the renderer that the embedded model ends in: its prompts and its validation are rendered in it too."""

READOUT_WORLD = 4
"""The world that the read-out is learned in: objects on structured ground and looks, beside all the others."""

# Seeds of different uses never meet: training renders count up from 0, the others start far away.
VALIDATION_SEED = 900_000_000
UNSEEN_SEED = 910_000_000
PROMPT_SEED = 920_000_000
STATISTICS_SEED = 930_000_000
SLIMMING_SEED = 940_000_000
