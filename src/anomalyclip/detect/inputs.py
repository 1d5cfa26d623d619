"""What the user typed -> a stream of images to attempt, each once, each with an output name of its own."""

# os.path keeps a path as it was typed, and strings stay cheap in folders of a million files.
# ruff: noqa: PTH100, PTH110, PTH112, PTH118, PTH119, PTH120, PTH122, PTH207

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anomalyclip.detect.folder import OUTPUT_FOLDERS, RESULTS, RUN
from anomalyclip.detect.names import NameRegistry, path_key
from anomalyclip.errors import InputError

_SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class InputItem:
    """One input that gets one row.

    path: as the user would type it (undecodable bytes stay as surrogates, so it opens the same file).
    name: where its outputs go, relative, without suffix, unique in one output folder (`sub/part`).
    key: 16 bytes that stand for the real path; equal for two spellings of one file.
    problem: why it cannot be attempted, known before reading; None for a file to read.
    """

    path: str
    name: str
    key: bytes
    problem: str | None = None


@dataclass(frozen=True)
class Found:
    """A file as it was found, before it has a name: `relative` is its path below the input that it came from."""

    path: str
    relative: str
    problem: str | None = None


@dataclass(frozen=True)
class _Scan:
    recursive: bool
    suffixes: frozenset[str]


def iter_inputs(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    names: NameRegistry | None = None,
) -> Iterator[InputItem]:
    """Expand files, folders and globs into items, in the order given and sorted within each folder.

    Folders give the files whose suffix `anomalyclip.io` knows (hidden ones are left out); a file named on its own
    is attempted whatever its suffix. The pictures of an output folder below an input folder are left out.
    A real path that comes twice is given once. An input that gives nothing
    (missing path, empty folder, glob without a match) becomes an item with a `problem`. Only one folder's names
    are held in memory, plus a few dozen bytes per file to recognise repeated ones.

    names: hands out output names; pass the one of the output folder when continuing a run.
    """
    scan = _scan(recursive)
    names = names if names is not None else NameRegistry()
    prefixed = sum(os.path.isdir(p) for p in inputs) > 1
    seen: set[bytes] = set()
    for given in inputs:
        for found in _expand(given, scan, prefixed=prefixed):
            key = path_key(found.path)
            if key in seen:
                continue
            seen.add(key)
            path = formula_safe(found.path)
            yield InputItem(path, names.claim(found.relative, path=found.path, key=key), key, found.problem)


def find_files(given: str, *, recursive: bool = False) -> Iterator[Found]:
    """What one argument stands for, as `iter_inputs` expands it; nothing is remembered, so its number is no matter."""
    return _expand(given, _scan(recursive), prefixed=False)


def survey_inputs(inputs: Sequence[str], *, recursive: bool = False) -> int:
    """Count the items before any work starts.

    Raises InputError when the inputs give nothing to attempt at all (the message says why for each).
    """
    if not inputs:
        raise InputError("No INPUT given. Name at least one image, folder or glob, such as: anomalyclip detect photos/")
    problems: list[str] = []
    count, usable = 0, False
    for item in iter_inputs(inputs, recursive=recursive):
        count += 1
        if item.problem is None:
            usable = True
        elif len(problems) < _SHOWN_PROBLEMS:
            problems.append(f"{item.path}: {item.problem}")
    if not usable:
        raise InputError("Nothing to detect on. " + "; ".join(problems))
    return count


def formula_safe(path: str) -> str:
    """A relative path that a spreadsheet would run as a formula (`=x.png`) gets `./` in front: still the same file."""
    return f".{os.sep}{path}" if path[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else path


def _scan(recursive: bool) -> _Scan:
    from anomalyclip.io import SUFFIXES

    return _Scan(recursive, frozenset(SUFFIXES))


def _expand(given: str, scan: _Scan, *, prefixed: bool) -> Iterator[Found]:
    """One argument of the user: a literal path first (names may hold brackets), then a glob, then missing."""
    if os.path.lexists(given):
        base = os.path.basename(os.path.abspath(given)) if prefixed else ""
        yield from _expand_existing(given, base if os.path.isdir(given) else "", scan)
        return
    if not glob.has_magic(given):
        yield Found(given, os.path.basename(given), "no such file or folder")
        return
    matches = sorted(glob.glob(given, recursive=True))
    if not matches:
        yield Found(given, "glob", "no such file, and none matches it as a pattern")
    root = _glob_root(given)
    for match in matches:
        below = os.path.relpath(match, root) if root else match.lstrip(os.sep)
        yield from _expand_existing(match, below, scan)


def _expand_existing(path: str, relative: str, scan: _Scan) -> Iterator[Found]:
    """A folder gives its images; anything else is attempted: the reader refuses what is no regular file."""
    if os.path.isdir(path):
        empty = True
        for found in _walk(path, relative, scan, set()):
            empty = False
            yield found
        if empty:
            hint = "" if scan.recursive else "; add --recursive to look into its subfolders"
            known = " ".join(sorted(scan.suffixes))
            yield Found(path, relative or os.path.basename(path), f"no image in this folder ({known}){hint}")
        return
    yield Found(path, relative or os.path.basename(path))


def _walk(folder: str, relative: str, scan: _Scan, entered: set[str]) -> Iterator[Found]:
    real = os.path.realpath(folder)
    if real in entered:  # a link that leads back up
        return
    entered.add(real)
    try:
        with os.scandir(folder) as entries:
            kept = sorted(
                (entry.name, entry.is_dir())
                for entry in entries
                if not entry.name.startswith(".") and _wanted(entry, scan)
            )
    except OSError as error:
        yield Found(folder, relative or os.path.basename(folder), f"cannot list this folder: {error.strerror}")
        return
    # Pictures that detect wrote are no inputs, even where its output folder lies inside an input folder.
    ours = OUTPUT_FOLDERS if all(os.path.exists(os.path.join(folder, name)) for name in (RUN, RESULTS)) else ()
    for name, is_folder in kept:
        path, below = os.path.join(folder, name), os.path.join(relative, name)
        if is_folder and name in ours:
            continue
        if is_folder:
            yield from _walk(path, below, scan, entered)
        else:
            yield Found(path, below)


def _wanted(entry: os.DirEntry[str], scan: _Scan) -> bool:
    try:
        if entry.is_dir():
            return scan.recursive
        known = os.path.splitext(entry.name)[1].lower() in scan.suffixes
        return known and (entry.is_file() or not os.path.exists(entry.path))  # a dangling link fails in its own row
    except OSError:
        return True


def _glob_root(pattern: str) -> str:
    """The folder above the first part with a wildcard: `data/*/x.png` -> `data`."""
    root = pattern
    while glob.has_magic(root):
        root = os.path.dirname(root)
    return root
