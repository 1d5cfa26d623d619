"""The folder of an export: filled beside its place, and put there whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from anomalyclip.encoders.exported import SIDECAR, find_artefact
from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.names import printable

_TIMES_WEIGHTS = 3  # room on the disk: the file, and what the exporter writes on the way


def check_room(folder: Path, weights: int) -> None:
    """Raises OutputError where the disk has no room for an export of so many bytes of weights."""
    free, needed = shutil.disk_usage(folder).free, _TIMES_WEIGHTS * weights
    if free < needed:
        raise OutputError(
            f"cannot write {printable(folder.parent)}: an export needs about {needed / 1e6:,.0f} MB there, "
            f"{free / 1e6:,.0f} MB are free; free some space or choose another disk"
        )


@contextlib.contextmanager
def new_folder(output: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to fill beside `output`, which takes its place when all went well and vanishes otherwise."""
    check_output(output, overwrite)
    target = output.absolute()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except OSError as error:
        raise output_error(output, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_output(output: Path, overwrite: bool) -> None:
    """OutputError where `output` is taken: by a file, by other files, or by an export that may not be replaced."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or find_artefact(output) is None:
        raise OutputError(f"cannot write {printable(output)}: it exists and is no export; choose a new folder")
    if not overwrite:
        raise OutputError(f"{printable(output)} holds an export already ({SIDECAR}); add --overwrite to replace it")
