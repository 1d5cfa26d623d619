"""What judges a cell: published prompts, the model's own, words, or prompts learned here; and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.folder import fingerprint
from anomalyclip.hub.digests import sha256
from anomalyclip.reproduction.cells import Cell, Shelf, learns
from anomalyclip.reproduction.config import EPOCHS, SEED, ReproduceConfig
from anomalyclip.reproduction.paper import BACKBONE
from anomalyclip.reproduction.plan import INITIAL, PROTOCOL, PUBLISHED, Towers
from anomalyclip.training import TrainConfig

_PUBLISHED_BATCH = 8
DIGITS = 10  # of digests in folder names


@dataclass(frozen=True)
class Backbone:
    """The model behind all cells of a run.

    Attributes:
        name: as results call it. weights_sha256: of its content. towers: their depths.
        default_prompts: its own prompts, if it has any.
    """

    name: str
    weights_sha256: str
    towers: Towers
    default_prompts: str | None

    @property
    def is_the_papers(self) -> bool:
        """Whether figures may be held against the paper's: known names always mean verified files."""
        return self.name == BACKBONE


@dataclass(frozen=True)
class Training:
    """Prompts to learn.

    Attributes:
        config: without an output folder of its own yet. auxiliary: names of the data sets.
        initial: stop before the first step. digest: of everything that decides the prompts.
    """

    config: TrainConfig
    auxiliary: tuple[str, ...]
    initial: bool
    digest: str

    @property
    def folder(self) -> str:
        """Name of its folder below the output."""
        sets = "-".join(Path(name).name for name in self.auxiliary) or INITIAL
        return f"{slug(sets)}-{self.digest[:DIGITS]}"


@dataclass(frozen=True)
class Judge:
    """What judges one cell.

    Attributes:
        spec: the prompts, for `anomalyclip.opening.open_for`; None for the model's own, and where `training` is set.
        words: the same for readers. training: prompts to learn first.
        identity: JSON-ready; decides, with data and settings, the cell's numbers.
        deviations: how this departs from the paper's protocol.
    """

    spec: str | None
    words: str
    training: Training | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()


def choose(cell: Cell, protocol: str, config: ReproduceConfig, backbone: Backbone, shelf: Shelf) -> Judge:
    """The judge of a cell. `protocol` is the data set that the paper's prompts for it were learned on.

    Raises ConfigError where there are no prompts for this backbone, InputError where auxiliary data is not there.
    """
    variant = cell.variant
    if learns(variant, config):
        return _learned(cell, protocol, config, backbone, shelf)
    if variant.prompts != PROTOCOL:
        return Judge(variant.prompts, f"words: {variant.prompts}", identity={"words": variant.prompts})
    if config.prompts is not None:
        identity = {"prompts": config.prompts, "sha256": _file_digest(config.prompts)}
        return Judge(config.prompts, config.prompts, identity=identity, deviations=("prompts of the user's choice",))
    if backbone.is_the_papers:
        name = PUBLISHED[protocol]
        return Judge(name, f"{name} (the authors', learned on {protocol})", identity={"published": name})
    if backbone.default_prompts is None:
        raise ConfigError(
            f"nobody published prompts for {backbone.name}: add --train to learn them on {protocol} below the root, "
            f"give --prompts FILE, or use --model {BACKBONE}"
        )
    return Judge(
        None,
        f"{backbone.name}'s own",
        identity={"own": _file_digest(backbone.default_prompts) or backbone.default_prompts},
        deviations=("the model's own prompts, not learned by the paper's protocol",),
    )


def _learned(cell: Cell, protocol: str, config: ReproduceConfig, backbone: Backbone, shelf: Shelf) -> Judge:
    training = plan_training(cell, config, backbone, shelf)
    sets = " + ".join(Path(name).name for name in cell.auxiliary)
    words = f"as initialised (seed {config.seed})" if training.initial else f"learned here on {sets}"
    deviations = []
    if cell.auxiliary != (protocol,) and not training.initial:
        deviations.append(f"learned on {sets}, the paper's on {protocol}")
    chosen = (config.epochs, config.seed, config.batch_size)
    if chosen != (EPOCHS, SEED, _PUBLISHED_BATCH):
        deviations.append("epochs {}, seed {}, batch {} instead of the published ones".format(*chosen))
    if only_pixels(cell, shelf):
        deviations.append("the auxiliary data has no normal images, so the local loss alone was trained")
    return Judge(None, words, training, {"training": training.digest}, tuple(deviations))


def plan_training(cell: Cell, config: ReproduceConfig, backbone: Backbone, shelf: Shelf) -> Training:
    """The training that a cell needs; equal cells of several tables share one."""
    initial = cell.variant.prompts == INITIAL
    opened = [] if initial else [shelf.get(name) for name in cell.auxiliary]
    settings: dict[str, Any] = dict(cell.variant.train)
    if only_pixels(cell, shelf):
        settings["level"] = "pixel"
    train_config = TrainConfig(
        data=tuple(str(dataset.root) for dataset in opened) or (INITIAL,),
        output=str(config.output),
        model=config.model,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
        image_size=config.image_size,
        missing_masks=config.missing_masks,
        cache_dir=config.cache_dir,
        device=config.device,
        threads=config.threads,
        offline=config.offline,
        max_pixels=config.max_pixels,
        full_scale=config.full_scale,
        activation=config.activation,
        heads=config.heads,
        architecture=config.architecture,
        **settings,
    )
    identity = {
        "weights_sha256": backbone.weights_sha256,
        "settings": train_config.decisive(),
        "epochs": 0 if initial else config.epochs,
        "data": [fingerprint(dataset) for dataset in opened],
    }
    return Training(train_config, () if initial else cell.auxiliary, initial, digest_of(identity))


def only_pixels(cell: Cell, shelf: Shelf) -> bool:
    """Whether the auxiliary data has one label only, from which no global loss can be learned."""
    if cell.variant.prompts == INITIAL or "level" in cell.variant.train or "method" in cell.variant.train:
        return False
    return len({item.label for name in cell.auxiliary for item in shelf.get(name).items}) < 2


def digest_of(identity: Mapping[str, Any]) -> str:
    """sha256 of a JSON-ready mapping, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def slug(text: str) -> str:
    """A name for files: letters, digits and single hyphens.

    >>> slug("+ T1: V-V attention (DPAM)")
    't1-v-v-attention-dpam'
    """
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.casefold())
    return "-".join(words.split()) or "x"


def _file_digest(prompts: str) -> str | None:
    """Of a prompt file or run folder; None for names."""
    from anomalyclip.hub.resolve import RUN_PROMPTS

    path = Path(prompts.rpartition(":")[2] if not Path(prompts).exists() else prompts)
    path = path / RUN_PROMPTS if path.is_dir() else path
    return sha256(path) if path.is_file() else None
