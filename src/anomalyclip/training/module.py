"""The Lightning module: a student is trained, everything else is frozen. Devices and precision are Lightning's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from anomalyclip.encoders.base import Encoder
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.features.encoding import Features, encode, from_records
from anomalyclip.features.key import CacheKey
from anomalyclip.losses import GlocalLoss
from anomalyclip.training.batches import Batch, SampleBatches, as_is, epoch_batches, share_of
from anomalyclip.training.config import TrainConfig
from anomalyclip.training.reporter import Reporter
from anomalyclip.training.state import Checkpoint, Progress
from anomalyclip.training.students import Student

Save = Callable[["PromptTraining", bool], None]


class PromptTraining(LightningModule):
    """One training step and the order of the data.

    Args:
        student: the trained part, with its loss.
        encoder: the frozen one where features are not cached, else None.
        key: which features.
        training, validation: where batches come from; ``validation`` may be empty.
        config: hyper-parameters.
        reporter: told about every step.
        save: called with this module on rank 0 after every ``checkpoint_steps`` steps (with False) and after every
            epoch (True if its validation loss is the best so far).
        resume: where to go on.
    """

    def __init__(
        self,
        student: Student,
        encoder: Encoder | None,
        key: CacheKey,
        training: SampleBatches,
        validation: SampleBatches,
        config: TrainConfig,
        *,
        reporter: Reporter | None = None,
        save: Save | None = None,
        resume: Checkpoint | None = None,
    ) -> None:
        super().__init__()
        self.student, self.encoder = student, encoder
        self.visual = encoder.visual if isinstance(encoder, TorchEncoder) else None  # moves with the student
        self._key, self._config = key, config
        self._training, self._validation = training, validation
        self._reporter, self._save = reporter or Reporter(), save
        self._resume = resume
        self.progress = resume.progress if resume is not None else Progress()
        if resume is not None:
            student.load_learned(resume.learned)
        self._held: list[tuple[dict[str, float], int]] = []

    def training_step(self, batch: Batch, batch_idx: int = 0) -> Tensor:
        """The student's loss of one batch; also counts it."""
        loss = self._loss(batch)
        terms = _numbers(loss)
        if not math.isfinite(terms["loss"]):
            raise ConfigError(
                f"the loss became {terms['loss']} in epoch {self.progress.epoch + 1}, step {self.progress.step + 1};"
                " lower the learning rate, or train in 32-true precision"
            )
        self.progress.add(*self._over_devices(terms, len(batch.labels)))
        return loss.total

    def validation_step(self, batch: Batch, batch_idx: int = 0) -> None:
        """The same loss on held-out images."""
        self._held.append((_numbers(self._loss(batch)), len(batch.labels)))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Report, log, and keep a checkpoint now and then."""
        progress = self.progress
        self._reporter.advance(min(len(batch.labels) * self._ranks(), self._config.batch_size))
        if self.trainer.loggers:
            self._log({"train/loss": progress.sums["loss"] / max(progress.images, 1)})
        steps = math.ceil(len(self._training) / self._config.batch_size)
        if progress.step % self._config.checkpoint_steps == 0 and progress.step < steps:
            self._keep(False)  # the last step's is the epoch's own

    def on_train_epoch_end(self) -> None:
        """Close the epoch: its row, its checkpoint, the best prompts."""
        images = sum(count for _, count in self._held)
        names = self._held[0][0] if images else ()
        means = {f"val_{name}": sum(terms[name] * n for terms, n in self._held) / images for name in names}
        self._held = []
        best = self.progress.finish_epoch(means)
        row = self.progress.history[-1]
        self._log({f"epoch/{name}": value for name, value in row.items()})
        self._keep(best)
        validation = f", validation {row['val_loss']:.4f}" if "val_loss" in row else ""
        self._reporter.note(f"epoch {self.progress.epoch}/{self._config.epochs}: loss {row['loss']:.4f}{validation}")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam as published; continued where the run was interrupted."""
        config = self._config
        optimiser = torch.optim.Adam(self.student.trained(), lr=config.learning_rate, betas=config.betas)
        if self._resume is not None:
            optimiser.load_state_dict(self._resume.optimiser)
        return optimiser

    def train_dataloader(self) -> DataLoader[Batch]:
        """This epoch's batches from where the run stands; Lightning asks anew in every epoch."""
        progress, config = self.progress, self._config
        batches = epoch_batches(
            len(self._training), config.batch_size, seed=config.seed, epoch=progress.epoch, first=progress.step
        )
        return _loader(self._training, share_of(batches, self._rank(), self._ranks()))

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """The held-out images in order, the same on every device."""
        count, size = len(self._validation), self._config.batch_size
        if not count:
            return []
        batches = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
        return _loader(self._validation, batches)

    def checkpoint(self, identity: dict[str, Any]) -> Checkpoint:
        """Where the run stands now."""
        optimiser = self.optimizers()
        return Checkpoint(
            identity,
            self.progress,
            self.student.learned(),
            optimiser.state_dict(),  # type: ignore[union-attr]  # one optimiser, not a list
            dict(self.trainer.precision_plugin.state_dict()),
        )

    def on_fit_start(self) -> None:
        """fp16's loss scale goes on, too."""
        if self._resume is not None and self._resume.precision:
            self.trainer.precision_plugin.load_state_dict(self._resume.precision)

    def _loss(self, batch: Batch) -> GlocalLoss:
        return self.student.loss(self._features(batch), batch)

    def _features(self, batch: Batch) -> Features:
        key = self._key
        if batch.rows is not None:
            return from_records(batch.rows, key)
        if self.encoder is None or batch.pixels is None:
            raise RuntimeError("a batch without features needs the encoder")
        with torch.autocast(batch.pixels.device.type, enabled=False):  # the frozen encoder stays exact
            return encode(self.encoder, batch.pixels, key)

    def _over_devices(self, terms: dict[str, float], images: int) -> tuple[dict[str, float], int]:
        """Means over all devices' images, so that every device counts the same."""
        if self._ranks() == 1:
            return terms, images
        own = torch.tensor([value * images for value in terms.values()] + [images], device=self.device)
        sums = self.trainer.strategy.reduce(own, reduce_op="sum").tolist()
        return {name: value / sums[-1] for name, value in zip(terms, sums, strict=False)}, round(sums[-1])

    def _keep(self, best: bool) -> None:
        if self._save is not None and self._rank() == 0:
            self._save(self, best)

    def _log(self, values: dict[str, float]) -> None:
        for logger in self.trainer.loggers:
            logger.log_metrics(values, step=self.progress.total_steps)

    def _rank(self) -> int:
        return self.trainer.global_rank if self._attached() else 0

    def _ranks(self) -> int:
        return self.trainer.world_size if self._attached() else 1

    def _attached(self) -> bool:
        return self._trainer is not None


def _loader(batches: SampleBatches, indices: list[list[int]]) -> DataLoader[Batch]:
    return DataLoader(batches, batch_sampler=indices, collate_fn=as_is)


def _numbers(loss: GlocalLoss) -> dict[str, float]:
    return {
        "loss": float(loss.total.detach()),
        "loss_image": float(loss.image.detach()),
        "loss_pixel": float(loss.pixel.detach()),
    }
