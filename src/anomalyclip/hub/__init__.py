"""Names -> verified files: embedded in the package, cached on disk, or downloaded once. Standard library only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.hub.cache import home
    from anomalyclip.hub.files import look, obtain
    from anomalyclip.hub.progress import meter
    from anomalyclip.hub.registry import MODELS, PROMPTS, Entry, RemoteFile, Source
    from anomalyclip.hub.resolve import ModelFiles, find_entry, resolve_model, resolve_prompts

__all__ = [
    "MODELS",
    "PROMPTS",
    "Entry",
    "ModelFiles",
    "RemoteFile",
    "Source",
    "find_entry",
    "home",
    "look",
    "meter",
    "obtain",
    "resolve_model",
    "resolve_prompts",
]

_HOME = {
    "MODELS": "registry",
    "PROMPTS": "registry",
    "Entry": "registry",
    "ModelFiles": "resolve",
    "RemoteFile": "registry",
    "Source": "registry",
    "find_entry": "resolve",
    "home": "cache",
    "look": "files",
    "meter": "progress",
    "obtain": "files",
    "resolve_model": "resolve",
    "resolve_prompts": "resolve",
}

__getattr__, __dir__ = lazy(__name__, _HOME)
