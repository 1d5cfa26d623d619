"""Lightning, kept quiet: its Trainer for a run, and its hints and signals out of the way."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.training.config import TrainConfig, plain
from anomalyclip.training.loggers import make_loggers

_NEEDED = ("lightning", "matplotlib", "yaml")


def check_extra() -> None:
    """Raises :class:`ConfigError` with the pip command if a package of the extra ``train`` is missing."""
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"training needs {', '.join(missing)}: pip install 'anomalyclip[train]'")


def make_trainer(config: TrainConfig, device: torch.device, epochs: int) -> Any:
    """Lightning's Trainer for `epochs` more epochs. Raises ConfigError for what it refuses."""
    from lightning.pytorch import Trainer

    kind = {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}.get(device.type, device.type)
    chosen = [device.index] if device.index is not None and config.devices == 1 else config.devices
    try:
        return Trainer(
            accelerator=kind,
            devices=chosen,
            strategy=config.strategy,
            precision=config.precision,  # type: ignore[arg-type]
            max_epochs=epochs,
            logger=make_loggers(config.loggers, config.folder, plain(config)) or False,
            enable_checkpointing=False,  # Lightning's are neither atomic nor free of pickles; see state.py
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # train_dataloader divides every batch itself
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            default_root_dir=str(config.folder),
        )
    except (ValueError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"Lightning refuses device {device}, devices {config.devices}, strategy {config.strategy!r},"
            f" precision {config.precision!r}: {reason}"
        ) from error


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning's hints (loader workers, tips, "max_epochs reached") are not for our users; Ctrl-C stays Ctrl-C."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning")
    levels = {name: logging.getLogger(name).level for name in names}
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SystemExit:  # how Lightning ends after Ctrl-C, with SIGINT switched off
        raise KeyboardInterrupt from None
    except OSError as error:
        raise OutputError(f"training stopped: {error}; free disk space or check the folder, then run again") from error
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        with contextlib.suppress(ValueError, TypeError):  # not in the main thread, or set from C
            signal.signal(signal.SIGINT, on_interrupt)
