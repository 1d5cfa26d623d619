"""Names -> verified files: embedded in the package, cached on disk, or downloaded once. Standard library only."""

from __future__ import annotations

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
