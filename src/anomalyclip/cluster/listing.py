"""INPUT arguments -> every image once, as absolute paths and URLs: files, folders, globs, and `@FILE` lists."""

# os.path keeps undecodable names as they are.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from anomalyclip.cluster.places import full_name, is_url, open_place
from anomalyclip.cluster.seen import first_times
from anomalyclip.detect.inputs import find_files
from anomalyclip.errors import InputError
from anomalyclip.io import SUFFIXES
from anomalyclip.io.frames import frame_path
from anomalyclip.io.names import printable
from anomalyclip.io.scanning import HEAD, Entry, Kind, PassedOver, told_by_content, told_by_name

_SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class Source:
    """One input that gets one row. problem: why it cannot be attempted, known before reading."""

    path: str
    problem: str | None = None


def list_sources(
    inputs: Sequence[str], *, recursive: bool = False, passed: PassedOver | None = None
) -> Iterator[Source]:
    """Expand the arguments, in the order given and sorted within each folder; a path that comes twice is given once.

    `@FILE` is a list, one path, URL, folder or glob a line (of any length, it is streamed), and may be a URL itself.
    Memory: one folder's names, and 16 bytes per input. passed: counts what the folders hold and is no input.
    """
    scan = _Scan(recursive, passed if passed is not None else PassedOver())
    found = (source for given in inputs for source in _expand(given, scan))
    return (source for _, source in first_times((os.fsencode(source.path), source) for source in found))


def check_sources(inputs: Sequence[str], *, recursive: bool = False) -> None:
    """Raises InputError where the arguments give nothing to attempt at all; stops at the first usable one."""
    problems: list[str] = []
    scan = _Scan(recursive, PassedOver())
    for source in (source for given in inputs for source in _expand(given, scan)):
        if source.problem is None:
            return
        if len(problems) < _SHOWN_PROBLEMS:
            problems.append(f"{printable(source.path)}: {source.problem}")
    raise InputError("There are no pictures to look at. " + "; ".join(problems or ["No INPUT given."]))


@dataclass(frozen=True)
class _Scan:
    recursive: bool
    passed: PassedOver


def _expand(given: str, scan: _Scan) -> Iterator[Source]:
    if given.startswith("@"):
        yield from _expand_list(given[1:], scan)
    elif is_url(given):
        yield from _expand_url(given, scan)
    else:
        for found in find_files(given, recursive=scan.recursive, passed=scan.passed):
            path = _absolute(found.path)
            yield Source(path if found.frame is None else frame_path(path, found.frame), found.problem)


def _expand_list(place: str, scan: _Scan) -> Iterator[Source]:
    try:
        system, path = open_place(place)
        with system.open(path, "rb") as lines:
            for line in lines:
                if name := os.fsdecode(line.strip()):
                    yield from _listed(name, scan)
    except OSError as error:
        yield Source(f"@{place}", f"cannot read this list: {_reason(error)}")


def _listed(name: str, scan: _Scan) -> Iterator[Source]:
    """A line that names an image is taken at its word: asking each of 10^8 files whether it is there takes hours."""
    if Path(name).suffix.lower() in SUFFIXES and not _has_magic(name):
        yield Source(name if is_url(name) else _absolute(name))
    else:
        yield from _expand(name.removeprefix("@"), scan)


def _has_magic(place: str) -> bool:
    # In a URL `?` starts the query.
    return any(letter in place for letter in ("*" if is_url(place) else "*?["))


def _expand_url(given: str, scan: _Scan) -> Iterator[Source]:
    system, path = open_place(given)
    try:
        if _has_magic(given):
            names = sorted(full_name(given, name) for name in system.glob(path))
            yield from map(Source, names)
            if not names:
                yield Source(given, "nothing matches this pattern")
        elif given.endswith("/") or (not given.startswith("http") and system.isdir(path)):
            yield from _expand_folder(given, scan)
        else:
            yield Source(given)
    except OSError as error:
        yield Source(given, f"cannot list it: {_reason(error)}")


def _expand_folder(given: str, scan: _Scan) -> Iterator[Source]:
    system, path = open_place(given)
    empty = True
    for name in _walk(system, path, scan):
        empty = False
        yield Source(full_name(given, name))
    if empty:
        hint = "" if scan.recursive else "; add --recursive to look into its subfolders"
        yield Source(given, f"no image in this folder{hint}")


def _walk(system: Any, folder: str, scan: _Scan) -> Iterator[str]:
    for entry in sorted(system.ls(folder, detail=True), key=itemgetter("name")):
        name = entry["name"]
        if not name.startswith(folder) or name.rstrip("/") == folder.rstrip("/"):
            continue  # the folder itself, and a page's links that lead elsewhere
        if entry["type"] == "directory":
            if scan.recursive:
                yield from _walk(system, name, scan)
            else:
                scan.passed.folders += 1
            continue
        told = _told(system, name)
        if told.kind is Kind.PICTURE:
            yield name
        else:
            scan.passed.add(told)


def _told(system: Any, name: str) -> Entry:
    """What a file is: by its name, or by its first bytes where that says nothing."""
    last = name.rstrip("/").rpartition("/")[2]
    told = told_by_name(last)
    if told is not None:
        return told
    try:
        return told_by_content(last, system.cat_file(name, start=0, end=HEAD))
    except Exception:  # it fails in its own row
        return Entry(last, name, Kind.PICTURE)


def _absolute(path: str) -> str:
    """By its real folder; a link to a file keeps its own name."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(folder), name)


def _reason(error: OSError) -> str:
    return " ".join(str(error).split()) or type(error).__name__
