"""The same file may already be on this machine: OpenAI's ``clip`` package and the Hugging Face hub cache them too."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from anomalyclip.hub.cache import sibling
from anomalyclip.hub.digests import mismatch
from anomalyclip.hub.download import adopt
from anomalyclip.hub.registry import RemoteFile


def adopt_copy(file: RemoteFile, target: Path) -> Path | None:
    """Bring a verified copy from another program's cache to ``target``; ``None`` if there is none.

    A hard link where the file system allows it (no bytes, no time beyond the checksum), else a copy.
    """
    source = copy_of(file)
    if source is None or mismatch(source, file) is not None:
        return None
    part = sibling(target, ".adopt")
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(source.resolve(), part)
        except OSError:
            shutil.copyfile(source, part)
        return adopt(part, target, file)
    except OSError:
        return None  # a full disk, for instance: the download explains that better
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def copy_of(file: RemoteFile) -> Path | None:
    """Where another program's cache has a file of this name and size; ``None`` if it has none."""
    if file.known_copy is None:
        return None
    folder = _caches().get(file.origin)
    path = None if folder is None else folder / file.known_copy
    return path if path is not None and path.is_file() and path.stat().st_size == file.size else None


def _caches() -> dict[str, Path]:
    """Of the ``clip`` package, and of huggingface_hub by its own variables, old name last."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    hub = Path(os.environ.get("HF_HOME") or usual) / "hub"
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hub
    return {
        "openai": Path("~/.cache").expanduser(),
        "huggingface": Path(os.path.expandvars(chosen)).expanduser(),
    }
