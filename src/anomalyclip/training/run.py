"""``train``: data sets to a run folder. Each stage can be killed; the same call then goes on where it was."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.weights import load_clip
from anomalyclip.data.dataset import Dataset
from anomalyclip.encoders.base import Encoder
from anomalyclip.encoders.devices import pick_device
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.features.cache import FeatureCache
from anomalyclip.features.key import CacheKey
from anomalyclip.hub import meter, resolve_model
from anomalyclip.hub.progress import silent
from anomalyclip.hub.registry import MODELS
from anomalyclip.io import write_bytes
from anomalyclip.io.names import printable
from anomalyclip.prompts import PromptMetadata
from anomalyclip.settings import ModelSettings
from anomalyclip.settings.scoring import without_later
from anomalyclip.training.batches import SampleBatches
from anomalyclip.training.config import CONFIG, TrainConfig, write_config
from anomalyclip.training.datasets import open_datasets
from anomalyclip.training.encoder import encoder_settings, features_of, open_encoder
from anomalyclip.training.encoding import check_readable, fill
from anomalyclip.training.folder import run_folder
from anomalyclip.training.loggers import check_loggers
from anomalyclip.training.outputs import (
    BEST,
    CURVE,
    ENVIRONMENT,
    METRICS,
    PROBLEMS,
    PROMPTS,
    draw_curve,
    write_environment,
    write_metrics,
)
from anomalyclip.training.prepare import (
    MaskStore,
    Preparation,
    identify,
    require_samples,
    warn_about,
)
from anomalyclip.training.reporter import Reporter
from anomalyclip.training.samples import Sample, class_digest, describe, digest_of, hold_out
from anomalyclip.training.state import CHECKPOINT, Checkpoint, check_same_run
from anomalyclip.training.students import Student, make_student, prompt_settings
from anomalyclip.training.trainer import check_extra, make_trainer, quiet_lightning

if TYPE_CHECKING:
    from anomalyclip.training.module import PromptTraining


@dataclass(frozen=True)
class TrainResult:
    """What a run left.

    Attributes:
        folder: the run folder; ``anomalyclip.load(model, prompts=folder)`` works on it.
        prompts: the last epoch's prompts. best: those of the lowest validation loss, None without validation.
        history: one row per epoch: epoch, loss, loss_image, loss_pixel, and val_* with validation.
        images: trained on. problems: one line per file that was left out or used in part.
    """

    folder: Path
    prompts: Path
    best: Path | None
    history: tuple[dict[str, float], ...]
    images: int
    problems: tuple[str, ...]


def train(
    config: TrainConfig, *, datasets: Sequence[Dataset] | None = None, reporter: Reporter | None = None
) -> TrainResult:
    """Learn prompts (METHOD section 6) and write the run folder ``config.output``.

    Called again with the same settings after an interruption, also a kill, it goes on and ends with the same numbers;
    with more epochs it continues a finished run.

    Args:
        config: see :class:`TrainConfig`.
        datasets: data sets already open, in place of ``config.data``.
        reporter: told about progress and problems.

    Raises:
        ConfigError: the extra ``train`` is missing, a setting does not fit the model, the folder holds another run.
        InputError: a data set cannot be used, or no image of it.
        HubError, WeightsError: the model cannot be had.
        OutputError: something cannot be written.
    """
    check_extra()
    check_loggers(config.loggers)
    started = time.time()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    leader = int(os.environ.get("LOCAL_RANK", "0")) == 0  # Lightning starts the other ranks with the same call
    watcher = reporter if leader and reporter is not None else Reporter()
    opened = list(datasets) if datasets is not None else open_datasets(config)
    watcher.note(describe(opened))
    files = resolve_model(
        config.model, offline=config.offline, meter=silent if reporter is None else meter, given=config.told
    )
    backbone = files.name if files.name in MODELS else str(Path(files.weights).resolve())
    guard = run_folder(config.folder, overwrite=config.overwrite) if leader else contextlib.nullcontext(config.folder)
    with guard:
        run = _Run(config, load_clip(files.weights), backbone, opened, watcher, leader)
        result = run.go()
        if leader:
            write_environment(config.folder / ENVIRONMENT, str(run.device), started, time.time() - started)
    return result


class _Run:
    """One call of :func:`train` with its parts at hand."""

    def __init__(
        self,
        config: TrainConfig,
        clip: CLIP,
        backbone: str,
        datasets: Sequence[Dataset],
        reporter: Reporter,
        leader: bool,
    ) -> None:
        self.config, self.clip, self.backbone, self.datasets = config, clip, backbone, datasets
        self.reporter, self.leader = reporter, leader
        self.device = pick_device(config.device)
        self.settings: ModelSettings = encoder_settings(config, clip)
        learned_from = partial(features_of, config, self.settings, dtype=config.cache_dtype)
        self.encoder = open_encoder(config, clip, backbone, self.settings.image_size, learned_from)
        self.key: CacheKey = learned_from(self.encoder.facts)
        self.preparation = Preparation(reporter)
        self.classes = tuple(dict.fromkeys(name for dataset in datasets for name in dataset.classes))
        self.student: Student = make_student(config, clip, self.settings, self.classes, backbone)
        self.words = prompt_settings(config, clip) if config.recipe.learns == "prompts" else None
        self.identity: dict[str, Any] = {}

    def go(self) -> TrainResult:
        config = self.config
        found = Checkpoint.load(config.folder / CHECKPOINT)
        settings = config.decisive() | {
            "weights_sha256": self.clip.weights_sha256,
            "resolved": without_later(dataclasses.asdict(self.settings)),
            "prompts": None if self.words is None else dataclasses.asdict(self.words),
            **self.student.origin(),
        }
        settings |= {"rounding": self.key.rounding} if self.key.rounding else {}
        if found is not None:
            check_same_run(found.identity, settings, config.folder)  # before anything costs time
        cache = self._prepare()
        training, held = hold_out(self.preparation.samples, config.validation, config.seed)
        if config.validation and not held:
            raise ConfigError(
                f"validation {config.validation:g} of {len(training)} images holds out none; give more, or 0"
            )
        self.identity = settings | {"samples": digest_of(training), "validation_samples": digest_of(held)}
        if config.recipe.names_classes:
            self.identity["class_names"] = class_digest(training)
        if found is not None:
            check_same_run(found.identity, self.identity, config.folder)
            self.reporter.note(found.told(config.epochs))
        if self.leader:
            self._write_config(len(training), len(held))
        self._fit(training, held, cache, found)
        return self._finish(training)

    def _prepare(self) -> FeatureCache | None:
        """Samples that can be used, and their features in the cache (None when streaming)."""
        config, level = self.config, self.config.recipe.level
        cache = FeatureCache.open(config.cache_dir, self.key) if config.cache else None
        masks = MaskStore(cache, self.settings.image_size, config.max_pixels)
        identify(self.datasets, level, masks, self.preparation, config.reading)
        warn_about(self.preparation.samples, level, self.reporter)
        if cache is None:
            check_readable(self.preparation, config.reading)
        else:
            fill(cache, self._on_device(), self.preparation, config.reading)
        require_samples(self.preparation.samples, level)
        return cache

    def _on_device(self) -> Encoder:
        return self.encoder.to(self.device) if isinstance(self.encoder, TorchEncoder) else self.encoder

    def _fit(
        self, training: list[Sample], held: list[Sample], cache: FeatureCache | None, found: Checkpoint | None
    ) -> None:
        from anomalyclip.training.module import PromptTraining

        size, reading = self.settings.image_size, self.config.reading
        how = self.encoder.facts.preprocessing
        masks = MaskStore(cache, size, reading.max_pixels)
        module = PromptTraining(
            self.student,
            self.encoder if cache is None and isinstance(self.encoder, TorchEncoder) else None,
            self.key,
            SampleBatches(training, masks, cache, size, self.classes, reading, how),
            SampleBatches(held, masks, cache, size, self.classes, reading, how),
            self.config,
            reporter=self.reporter,
            save=self._save,
            resume=found,
        )
        self.progress = module.progress
        remaining = self.config.epochs - module.progress.epoch
        if remaining <= 0:
            return
        done = module.progress.epoch * len(training) + module.progress.images
        self.reporter.stage("training", self.config.epochs * len(training), done)
        with quiet_lightning():
            make_trainer(self.config, self.device, remaining).fit(module)

    def _save(self, module: PromptTraining, best: bool) -> None:
        """The files of one moment; the checkpoint comes last, so that what a kill cuts off is done again."""
        folder = self.config.folder
        if best:
            self.student.save(folder / BEST, self._metadata(module.progress.epoch))
        if module.progress.step == 0:
            write_metrics(folder / METRICS, module.progress.history)
        module.checkpoint(self.identity).save(folder / CHECKPOINT)

    def _finish(self, training: Sequence[Sample]) -> TrainResult:
        folder, history = self.config.folder, self.progress.history
        if self.leader:
            write_metrics(folder / METRICS, history)
            draw_curve(folder / CURVE, history, f"{Path(self.backbone).name}, {len(training):,} images")
            self.student.save(folder / PROMPTS, self._metadata(self.progress.epoch))
        return TrainResult(
            folder,
            folder / PROMPTS,
            folder / BEST if self.progress.best is not None else None,
            tuple(history),
            len(training),
            tuple(self.preparation.problems),
        )

    def _metadata(self, epochs: int) -> PromptMetadata:
        config, clip, samples = self.config, self.clip, self.preparation.samples
        return PromptMetadata(
            backbone=self.backbone,
            weights_sha256=clip.weights_sha256,
            text_width=clip.config.text.width,
            embed_dim=clip.config.embed_dim,
            training={
                "data": [dataset.name for dataset in self.datasets],
                "images": len(samples),
                "images_with_pixel_truth": sum(sample.known for sample in samples),
                "epochs": epochs,
                "cache": config.cache_dtype if config.cache else None,
            }
            | {name: config.decisive()[name] for name in _RECIPE},
            method=config.method,
            **vars(self.settings),
        )

    def _write_config(self, training: int, held: int) -> None:
        resolved = {
            "backbone": self.backbone,
            "weights_sha256": self.clip.weights_sha256,
            "layers": list(self.settings.layers),
            "image_size": self.settings.image_size,
            "dpam_blocks": self.settings.dpam_blocks,
            "method": dataclasses.asdict(self.config.recipe),
            "depth": None if self.words is None else self.words.depth,
            "data_sets": [dataset.name for dataset in self.datasets],
            "training_images": training,
            "validation_images": held,
            "left_out_or_partly_used": len(self.preparation.problems),
        }
        write_config(self.config.folder / CONFIG, self.config, resolved)
        problems = self.config.folder / PROBLEMS
        if self.preparation.problems:
            text = "\n".join(printable(line) for line in self.preparation.problems) + "\n"
            write_bytes(problems, text.encode())
        else:
            problems.unlink(missing_ok=True)


_RECIPE = ("level", "batch_size", "learning_rate", "betas", "seed", "pixel_weight", "validation")
