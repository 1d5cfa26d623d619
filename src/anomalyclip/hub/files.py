"""An entry of the registry -> a verified file on this disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.errors import HubError
from anomalyclip.hub import cache
from anomalyclip.hub.digests import mismatch
from anomalyclip.hub.progress import Meter, silent
from anomalyclip.hub.registry import Entry, RemoteFile, Source

OFFLINE_VARIABLE = "ANOMALYCLIP_OFFLINE"
_ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Found:
    """Where a file of an entry stands; ``file`` is ``None`` for an embedded one."""

    path: Path
    file: RemoteFile | None
    state: str  # embedded, cached, damaged or missing


def is_offline(offline: bool) -> bool:
    """True if asked for by the argument or by ``ANOMALYCLIP_OFFLINE`` (1, true, yes, on)."""
    return offline or os.environ.get(OFFLINE_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")


def look(entry: Entry, source: Source = "auto", *, rehash: bool = False) -> list[Found]:
    """Every file that would do for ``entry`` from ``source``, the preferred one first, and its state on this disk.

    Raises:
        HubError: ``entry`` has no such source.
    """
    if entry.embedded is not None:
        path = _ASSETS / entry.embedded
        return [Found(path, None, "embedded" if path.is_file() else "missing")]
    places = [(file, cache.location(entry, file)) for file in _files(entry, source)]
    return [Found(path, file, cache.state(path, file, rehash=rehash)) for file, path in places]


def obtain(entry: Entry, *, source: Source = "auto", offline: bool = False, meter: Meter = silent) -> Path:
    """The verified file of ``entry``: embedded, cached, or downloaded now.

    Raises:
        HubError: it is not here and cannot be fetched; the message names the file, its address and its place.
    """
    found = look(entry, source)
    for candidate in found:
        if candidate.state in ("embedded", "cached"):
            return candidate.path
    wanted = found[0]  # the preferred source
    if wanted.file is None:
        raise HubError(
            f"this installation lacks the embedded file {wanted.path}; install the package again"
            " (pip install --force-reinstall --no-deps anomalyclip)"
        )
    adopted = _adopted(found)
    if adopted is not None:
        return adopted
    if is_offline(offline):
        _refuse_damaged(found)
        raise HubError(_by_hand(entry, source, f"offline mode is on (--offline or {OFFLINE_VARIABLE})"))
    return _fetch(entry, wanted.file, wanted.path, source, meter)


def _adopted(found: list[Found]) -> Path | None:
    """A copy of another program's that will do, from any source; needs no network."""
    from anomalyclip.hub.copies import adopt_copy, copy_of

    for candidate in found:
        if candidate.file is None or copy_of(candidate.file) is None:
            continue
        cache.make_folder(candidate.path.parent)
        with cache.lock(candidate.path):
            if cache.state(candidate.path, candidate.file) == "cached":
                return candidate.path  # another process brought it while we waited
            if (adopted := adopt_copy(candidate.file, candidate.path)) is not None:
                return adopted
    return None


def _fetch(entry: Entry, file: RemoteFile, path: Path, source: Source, meter: Meter) -> Path:
    from anomalyclip.hub.download import download  # brings HTTP and TLS, which a file that is here does not need
    from anomalyclip.hub.http import UnreachableError

    cache.make_folder(path.parent)
    with cache.lock(path):
        if cache.state(path, file) == "cached":
            return path  # another process fetched it while we waited
        try:
            return download(file, path, meter=meter, label=entry.name)
        except UnreachableError as error:
            raise HubError(_by_hand(entry, source, str(error))) from error


def _files(entry: Entry, source: Source) -> tuple[RemoteFile, ...]:
    if source == "auto":
        return entry.files
    chosen = tuple(file for file in entry.files if file.origin == source)
    if entry.kind == "model" and not chosen:
        known = ", ".join(file.origin for file in entry.files)
        raise HubError(f"the model {entry.name} has no source {source!r}; its sources: {known}")
    return chosen or entry.files  # prompts have one source


def _refuse_damaged(found: list[Found]) -> None:
    from anomalyclip.hub.http import mirrored

    for candidate in found:
        if candidate.state == "damaged" and candidate.file is not None:
            raise HubError(
                f"{candidate.path} is not the file it should be: {mismatch(candidate.path, candidate.file)}."
                f" Put the right one there ({mirrored(candidate.file.url)}), or run online to fetch it again"
            )


def _by_hand(entry: Entry, source: Source, reason: str) -> str:
    """What to do where nothing can be downloaded: which file, how to check it, where to put it."""
    from anomalyclip.hub.http import mirrored

    # Punctuated so that it also reads well where a caller joins the lines into one.
    choices = [
        f"  download {mirrored(file.url)}\n"
        f"  ({file.size:,} bytes; {file.checksum}; check: {_how_to_check(file)})\n"
        f"  and put it at {cache.location(entry, file)}"
        for file in _files(entry, source)
    ]
    noun = "model" if entry.kind == "model" else "prompt file"
    return (
        f"the {noun} {entry.name} is not on this machine and cannot be fetched: {reason}.\n"
        "On a machine with network:\n"
        + "\nor:\n".join(choices)
        + f"\n(the cache folder can be moved with {cache.HOME_VARIABLE};"
        " the model pocket is embedded and needs no download)"
    )


def _how_to_check(file: RemoteFile) -> str:
    return "git hash-object FILE" if file.git_blob else "sha256sum FILE"
