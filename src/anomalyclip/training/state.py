"""Where a run stands, on disk: enough to go on after a kill as if nothing had happened."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io import write_bytes
from anomalyclip.io.json_objects import whole_number
from anomalyclip.io.names import printable

CHECKPOINT = "checkpoint.pt"
_FORMAT = 1
_MAX_BYTES = 2**30
_TERMS = ("loss", "loss_image", "loss_pixel")


@dataclass
class Progress:
    """Position and what was measured so far.

    Attributes:
        epoch: epochs finished. step: steps done in the epoch that is under way.
        sums: of the loss terms in that epoch, weighted by images. images: how many.
        history: one row per finished epoch.
        best: lowest validation loss so far. best_epoch: its epoch, from 1.
        total_steps: steps since the beginning.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_TERMS, 0.0))
    images: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    best_epoch: int | None = None
    total_steps: int = 0

    def add(self, terms: Mapping[str, float], images: int) -> None:
        """Count one step."""
        for name, value in terms.items():
            self.sums[name] += value * images
        self.images += images
        self.step += 1
        self.total_steps += 1

    def finish_epoch(self, validation: Mapping[str, float]) -> bool:
        """Close the epoch's row; True if its validation loss is the lowest so far."""
        self.epoch += 1
        means = {name: value / max(self.images, 1) for name, value in self.sums.items()}
        self.history.append({"epoch": self.epoch} | means | dict(validation))
        self.step, self.images, self.sums = 0, 0, dict.fromkeys(_TERMS, 0.0)
        value = validation.get("val_loss")
        if value is None or (self.best is not None and value >= self.best):
            return False
        self.best, self.best_epoch = value, self.epoch
        return True


@dataclass
class Checkpoint:
    """A run at one moment: who it is, where it stands, what it has learned, and its optimiser."""

    identity: dict[str, Any]
    progress: Progress
    learned: dict[str, Tensor]
    optimiser: dict[str, Any]
    precision: dict[str, Any] = field(default_factory=dict)

    def told(self, epochs: int) -> str:
        """One line about where a run of so many epochs goes on."""
        progress = self.progress
        if progress.epoch >= epochs:
            return f"{progress.epoch} epochs are done already; nothing to train (give more --epochs to go on)"
        return f"continuing after epoch {progress.epoch}, step {progress.step} of the next"

    def save(self, path: Path) -> None:
        """Write atomically. Raises :class:`OutputError`."""
        buffer = io.BytesIO()
        head = {"format": _FORMAT, "identity": self.identity, "progress": asdict(self.progress)}
        torch.save(
            {
                "head": json.dumps(head),
                "learned": self.learned,
                "optimiser": self.optimiser,
                "precision": self.precision,
            },
            buffer,
        )
        write_bytes(path, buffer.getvalue(), fsync=True)

    @classmethod
    def load(cls, path: Path) -> Checkpoint | None:
        """Read; None if there is none.

        Raises:
            InputError: the file is damaged or of another version.
        """
        if not path.is_file():
            return None
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("it is too large")
            content = torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
            head = json.loads(content["head"], parse_int=whole_number)
            if head["format"] != _FORMAT:
                raise ValueError(f"its format is {head['format']}, this version reads {_FORMAT}")
            progress = Progress(**head["progress"])
            return cls(head["identity"], progress, content["learned"], content["optimiser"], dict(content["precision"]))
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"cannot continue from {printable(path)} ({reason}); start the run anew with --overwrite"
            ) from error


def check_same_run(found: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Refuse to continue a run whose learned numbers would mean something else; compares the keys of ``now``.

    Raises:
        ConfigError: names every setting that differs.
    """
    now = json.loads(json.dumps(now))
    words = [_difference(name, found.get(name), value) for name, value in now.items() if found.get(name) != value]
    if words:
        raise ConfigError(
            f"{printable(folder)} holds a run with other settings ({'; '.join(words)}). Replace it with --overwrite,"
            " or name another folder"
        )


def _difference(name: str, before: Any, now: Any) -> str:
    if name == "class_names":
        return "the classes are called otherwise"
    if name in ("samples", "validation_samples"):
        return "the images, masks or labels have changed"
    if name == "weights_sha256":
        return "another model"
    return f"{name} was {before}, now {now}"
