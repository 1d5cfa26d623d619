"""The output folder: cells and trainings under names that say what made them, so that a rerun finds what is done.

reproduce.json     settings of the last call; marks the folder as ours
cells/NAME-HASH/   one evaluation each, as `anomalyclip evaluate` writes it; done once its metrics.json is there
training/NAME-HASH one run folder each, as `anomalyclip train` writes it; done once its prompts are there
table_NAME.md, .tex, .json
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.files import METRICS_FILE
from anomalyclip.io.atomic import output_error, sweep, write_bytes
from anomalyclip.io.names import printable
from anomalyclip.reproduction.judges import DIGITS, Training, slug
from anomalyclip.training.outputs import PROBLEMS, PROMPTS

RECORD, CELLS, TRAINING = "reproduce.json", "cells", "training"
_LOCK = ".reproduce.lock"


@dataclass(frozen=True)
class Store:
    """Paths below the output folder, and what of it is done."""

    path: Path

    @contextmanager
    def claim(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Make the folder, hold it against other processes, and record the call's settings.

        Raises ConfigError for a folder that is in use or holds other things, OutputError where it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            guard = filelock.FileLock(str(self.path / _LOCK))
            guard.acquire(timeout=0)
        except filelock.Timeout:
            raise ConfigError(
                f"another process reproduces into {printable(self.path)}; wait for it, or name another folder"
            ) from None
        except OSError as error:
            raise output_error(self.path, error) from error
        try:
            sweep(self.path, "**/*")
            self._refuse_foreign()
            write_bytes(self.path / RECORD, json.dumps(settings, indent=1).encode("utf-8", "backslashreplace"))
            yield
        finally:
            guard.release()

    def _refuse_foreign(self) -> None:
        names = {entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")}
        if names and RECORD not in names:
            raise ConfigError(
                f"{printable(self.path)} is not empty and holds no {RECORD}, so it is no folder of anomalyclip "
                "reproduce; name a new one"
            )

    def cell_name(self, target: str, digest: str) -> str:
        """Folder of a cell, relative to the output folder; lines of several tables that are the same share one."""
        return f"{CELLS}/{slug(target)}-{digest[:DIGITS]}"

    def result(self, cell: str) -> dict[str, Any] | None:
        """A finished cell's metrics.json; None if it is not finished (or was damaged: it is then done again)."""
        try:
            content = json.loads((self.path / cell / METRICS_FILE).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) and {"mean", "classes", "model"} <= set(content) else None

    def training_folder(self, training: Training) -> Path:
        """Where a training writes."""
        return self.path / TRAINING / training.folder

    def trained(self, training: Training) -> Path | None:
        """A finished training's prompts."""
        prompts = self.training_folder(training) / PROMPTS
        return prompts if prompts.is_file() else None

    def left_out(self, training: Training) -> bool:
        """Whether a training went without some of its files."""
        return (self.training_folder(training) / PROBLEMS).is_file()

    def write_page(self, name: str, contents: Mapping[str, str]) -> None:
        """A table in several formats: suffix -> text. Raises OutputError."""
        for suffix, text in contents.items():
            write_bytes(self.path / f"table_{name}{suffix}", text.encode("utf-8", "backslashreplace"))
