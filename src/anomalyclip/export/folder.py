"""The folder of an export: filled beside its place, and put there whole or not at all.

While it is filled a file beside it (`.making`) holds a lock. What a killed export left is locked by nobody, and goes
with the next export into the same folder, whatever that is called; one that was being replaced when its replacement was
killed comes back.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from anomalyclip.encoders.exported import SIDECAR, find_artefact
from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.locks import lock
from anomalyclip.io.names import printable

_TIMES_WEIGHTS = 3  # room on the disk: the file, and what the exporter writes on the way
_ASIDE = re.compile(r"(?P<stem>\.(?P<name>.+)\.[0-9a-f]{8})\.(?P<kind>making|old)", re.DOTALL)
_DAY = 86_400.0  # seconds after which one that cannot be locked is nobody's


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
    target = output.absolute()
    sweep(target.parent)
    check_output(output, overwrite)
    stem = f".{target.name}.{secrets.token_hex(4)}"
    temporary, old = target.with_name(f"{stem}.tmp"), target.with_name(f"{stem}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _making(target.with_name(f"{stem}.making")):
            temporary.mkdir()
            yield temporary
            if target.exists():
                target.rename(old)
            temporary.rename(target)
    except OSError as error:
        raise output_error(output, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                old.rename(target)


def check_output(output: Path, overwrite: bool) -> None:
    """OutputError where `output` is taken: by a file, by other files, or by an export that may not be replaced."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or find_artefact(output) is None:
        raise OutputError(f"cannot write {printable(output)}: it exists and is no export; choose a new folder")
    if not overwrite:
        raise OutputError(f"{printable(output)} holds an export already ({SIDECAR}); add --overwrite to replace it")


def sweep(parent: Path) -> list[Path]:
    """Remove what killed exports left in a folder, and put back what one of them was replacing; gives what went.

    Only folders of our names are touched that a lock of ours belongs to, or that hold an export.
    """
    gone: list[Path] = []
    with contextlib.suppress(OSError):
        for entry in sorted(parent.iterdir()):
            found = _ASIDE.fullmatch(entry.name)
            if found is None or entry.is_symlink():
                continue
            if found["kind"] == "making":
                if entry.is_file() and _is_free(entry):
                    gone.append(entry.with_name(f"{found['stem']}.tmp"))
                    shutil.rmtree(gone[-1], ignore_errors=True)
                    entry.unlink()
            elif find_artefact(entry) is not None:
                place = parent / found["name"]
                if place.exists():
                    gone.append(entry)
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.rename(place)
    return gone


@contextlib.contextmanager
def _making(path: Path) -> Iterator[None]:
    """Hold a lock as long as this process lives; its file goes with the block."""
    with path.open("wb") as file:
        lock(file.fileno())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows: while it is open
                path.unlink()


def _is_free(path: Path) -> bool:
    if os.name == "nt":  # it has no locks of this kind
        return time.time() - path.stat().st_mtime > _DAY
    with path.open("rb") as file:
        return lock(file.fileno()) is True
