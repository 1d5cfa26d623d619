"""Experiment loggers by name; Lightning's own classes, made when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from anomalyclip.errors import ConfigError


class _Kind(NamedTuple):
    packages: tuple[str, ...]  # any of these
    install: str
    class_name: str
    options: Callable[[Path], dict[str, Any]]


#: "csv" is not here: metrics.csv is written by every run
_KINDS: dict[str, _Kind] = {
    "tensorboard": _Kind(
        ("tensorboard", "tensorboardX"),
        "tensorboard",
        "TensorBoardLogger",
        lambda folder: {"save_dir": str(folder), "name": "", "version": "tensorboard"},
    ),
    "mlflow": _Kind(
        ("mlflow", "mlflow_skinny"),
        "mlflow",
        "MLFlowLogger",
        lambda folder: {
            "experiment_name": "anomalyclip",
            "run_name": folder.name,
            # MLflow itself refuses plain folders as a store by now
            "tracking_uri": os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}",
        },
    ),
    "wandb": _Kind(
        ("wandb",),
        "wandb",
        "WandbLogger",
        lambda folder: {"project": "anomalyclip", "name": folder.name, "save_dir": str(folder)},
    ),
}


def check_loggers(names: tuple[str, ...]) -> None:
    """Raises :class:`ConfigError` with the pip command for a logger whose package is not installed."""
    for name in names:
        kind = _KINDS.get(name)
        if kind is not None and not any(find_spec(package) for package in kind.packages):
            raise ConfigError(f"the logger {name} needs a package that is missing: pip install {kind.install}")


def make_loggers(names: tuple[str, ...], folder: Path, settings: dict[str, Any]) -> list[Any]:
    """The loggers, told the run's settings; empty for "csv" alone.

    Raises:
        ConfigError: a package is missing, or its logger does not start (no login, no server ...).
    """
    check_loggers(names)
    module = import_module("lightning.pytorch.loggers")
    loggers = []
    for name in dict.fromkeys(names):
        if name in _KINDS:
            try:
                logger = getattr(module, _KINDS[name].class_name)(**_KINDS[name].options(folder))
                logger.log_hyperparams(settings)
            except Exception as error:  # each package has its own kinds
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                raise ConfigError(f"the logger {name} does not start: {reason}. Set it up, or leave it out") from error
            loggers.append(logger)
    return loggers
