"""The cache folder: where files lie, who may write them, and how we know a file was verified before.

    HOME/models/vit-l-14-336/ViT-L-14-336px.pt                  the file
    HOME/models/vit-l-14-336/ViT-L-14-336px.pt.verified.json    stamp: size and time of change when it was hashed
    HOME/models/vit-l-14-336/ViT-L-14-336px.pt.part(.json)      a download that was cut, and what it is part of
    HOME/models/vit-l-14-336/ViT-L-14-336px.pt.lock             held by the process that downloads
    HOME/prompts/published-mvtec/published-mvtec.pth

HOME is ``ANOMALYCLIP_HOME``, else the user's cache folder for ``anomalyclip``. Files may be put there by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from anomalyclip.errors import HubError
from anomalyclip.hub.digests import mismatch
from anomalyclip.hub.registry import Entry, RemoteFile

HOME_VARIABLE = "ANOMALYCLIP_HOME"
State = Literal["missing", "cached", "damaged"]

_FOLDERS = {"model": "models", "prompts": "prompts"}
_PATIENCE = 2.0  # seconds before we say that we wait for another process


def home() -> Path:
    """The cache folder (it may not exist yet)."""
    chosen = os.environ.get(HOME_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return usual_home()


def usual_home() -> Path:
    """Where the cache folder is unless told otherwise."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("anomalyclip", appauthor=False))


def location(entry: Entry, file: RemoteFile) -> Path:
    """Where ``file`` of ``entry`` lies, or would lie, in the cache."""
    return home() / _FOLDERS[entry.kind] / entry.name / file.filename


def sibling(path: Path, suffix: str) -> Path:
    """The companion of a cached file: ``.part``, ``.part.json``, ``.lock`` or ``.verified.json``."""
    return path.with_name(path.name + suffix)


def state(path: Path, file: RemoteFile, *, rehash: bool = False) -> State:
    """Is ``path`` there, and is it ``file``?

    A file whose size and time of change equal those of its stamp is taken as verified, so that a start does not hash
    gigabytes; ``rehash`` reads every byte again. The stamp guards against accidents, not against somebody who can
    write into the cache.
    """
    if not path.is_file():
        return "missing"
    if not rehash and _stamp_of(path, file) == _read_stamp(path):
        return "cached"
    if mismatch(path, file) is not None:
        with contextlib.suppress(OSError):
            sibling(path, ".verified.json").unlink(missing_ok=True)
        return "damaged"
    write_stamp(path, file)
    return "cached"


def write_stamp(path: Path, file: RemoteFile) -> None:
    """Record that ``path`` was verified. In a cache we cannot write (shared, read-only) it is hashed each time."""
    stamp = sibling(path, ".verified.json")
    temporary = sibling(stamp, f".{os.getpid()}")
    try:
        temporary.write_text(json.dumps(_stamp_of(path, file)), encoding="utf-8")
        temporary.replace(stamp)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a cache folder.

    Raises:
        HubError: it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HubError(_unwritable(folder, error)) from error
    if not os.access(folder, os.W_OK):
        raise HubError(_unwritable(folder, None))


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the right to write ``path``; other processes wait. The system frees it when a process dies."""
    import filelock

    guard = filelock.FileLock(str(sibling(path, ".lock")))
    try:
        try:
            guard.acquire(timeout=_PATIENCE)
        except filelock.Timeout:
            print(f"another process is fetching {path.name}; waiting for it", file=sys.stderr)
            guard.acquire()
    except OSError as error:
        raise HubError(_unwritable(path.parent, error)) from error
    try:
        yield
    finally:
        guard.release()


def _unwritable(folder: Path, error: OSError | None) -> str:
    reason = f" ({error.strerror or error})" if error else ""
    return f"cannot write the cache folder {folder}{reason}; choose another with {HOME_VARIABLE}=FOLDER"


def _stamp_of(path: Path, file: RemoteFile) -> dict[str, object]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "checksum": file.checksum}


def _read_stamp(path: Path) -> object:
    try:
        return json.loads(sibling(path, ".verified.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
