"""The data sets that a configuration names."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.opening import open_dataset
from anomalyclip.training.config import TrainConfig


def open_datasets(config: TrainConfig) -> list[Dataset]:
    """Every entry of ``data``: a path, or ``NAME=PATH`` where the folder's own name does not tell the data set."""
    opened = []
    for entry in config.data:
        name, separator, path = entry.partition("=")
        named = bool(separator) and not Path(entry).exists()
        opened.append(
            open_dataset(
                path if named else entry,
                name=name if named else None,
                split=config.split,
                missing_masks=config.missing_masks,
            )
        )
    return opened
