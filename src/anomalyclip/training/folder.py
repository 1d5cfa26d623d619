"""The run folder: who may write it, whether it may be continued, and how it is emptied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import output_error, sweep
from anomalyclip.io.names import printable
from anomalyclip.training.config import CONFIG
from anomalyclip.training.outputs import BEST, CURVE, ENVIRONMENT, METRICS, PROBLEMS, PROMPTS
from anomalyclip.training.state import CHECKPOINT

_LOCK = ".train.lock"
_OURS = (CHECKPOINT, PROMPTS, BEST, METRICS, CURVE, ENVIRONMENT, PROBLEMS, CONFIG)


@contextlib.contextmanager
def run_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make the folder, hold it against other processes, and with ``overwrite`` remove an earlier run's files.

    Raises:
        OutputError: it cannot be made or written. ConfigError: it is in use, or holds other things than a run.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        guard = filelock.FileLock(str(path / _LOCK))
        guard.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(f"another process trains in {printable(path)}; wait for it, or name another folder") from None
    except FileExistsError:
        raise OutputError(f"{printable(path)} is a file; name a folder for the run") from None
    except OSError as error:
        raise output_error(path, error) from error
    try:
        sweep(path)
        _refuse_foreign(path)
        if overwrite:
            for name in _OURS:
                (path / name).unlink(missing_ok=True)
        yield path
    finally:
        guard.release()


def _refuse_foreign(path: Path) -> None:
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    if names and CONFIG not in names:
        raise ConfigError(
            f"{printable(path)} is not empty and holds no {CONFIG}, so it is no run of anomalyclip train;"
            " name a new folder"
        )
