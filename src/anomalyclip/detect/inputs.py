"""What the user typed -> a stream of images to attempt, each once, each with an output name of its own."""

# os.path keeps a path as it was typed, and strings stay cheap in folders of a million files.
# ruff: noqa: PTH122, PTH100, PTH112, PTH116, PTH118, PTH119, PTH120, PTH207

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from anomalyclip.detect.folder import OUTPUT_FOLDERS, RESULTS, RUN
from anomalyclip.detect.names import NameRegistry, file_of, frame_key, path_key
from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.io.charts import charts_among, charts_in
from anomalyclip.io.frames import count_frames, frame_path, split_frame, wanted
from anomalyclip.io.limits import DEFAULT_MAX_PIXELS
from anomalyclip.io.names import is_address
from anomalyclip.io.scanning import Entry, Kind, PassedOver, told_by_name
from anomalyclip.io.scanning import scan as scan_folder

_MISSING = "no such file or folder"
_STDIN = f"{_MISSING}, and standard input is not read: give files"
_ADDRESS = f"{_MISSING}; addresses are not opened here: download it, and give the path of the file"
_SHOWN_PROBLEMS = 5
_MOST_COUNTED = 100_000  # entries of subfolders that a refusal counts pictures in


@dataclass(frozen=True)
class InputItem:
    """One input that gets one row.

    path: as the user would type it (undecodable bytes stay as surrogates, so it opens the same file); of one picture of
        a file of several, `FILE#frame=n`.
    name: where its outputs go, relative, without suffix, unique in one output folder (`sub/part`).
    key: 16 bytes that stand for the path; equal for two spellings of one name, not for two links to one file.
    problem: why it cannot be attempted, known before reading; None for a file to read.
    frame: which picture of a file of several, from 0; None for a file of one.
    axis: along which the slices of a volume are counted.
    """

    path: str
    name: str
    key: bytes
    problem: str | None = None
    frame: int | None = None
    axis: str = "z"

    @property
    def file(self) -> str:
        """The file to open."""
        return file_of(self.path, self.frame)


@dataclass(frozen=True)
class Found:
    """A file as it was found, before it has a name: `relative` is its path below the input that it came from."""

    path: str
    relative: str
    problem: str | None = None
    frame: int | None = None


@dataclass(frozen=True)
class _Scan:
    recursive: bool
    passed: PassedOver = field(default_factory=PassedOver)


def _missing(given: str) -> str:
    if os.path.normpath(given) == "-":
        return _STDIN
    return _ADDRESS if is_address(given) else _MISSING


def iter_inputs(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    names: NameRegistry | None = None,
    passed: PassedOver | None = None,
    frames: int | None = None,
    axis: str = "z",
    max_pixels: int | None = None,
) -> Iterator[InputItem]:
    """Expand files, folders and globs into items, in the order given and sorted within each folder.

    Folders give their pictures, told by suffix or, where that says nothing, by content (hidden files are left out); a
    file named on its own is attempted whatever it is. An entry that cannot be looked at becomes an item, which fails in
    its own row. The pictures of an output folder below an input folder are left out.
    A path that comes twice is given once; two links to one file are two. An input that gives nothing
    (missing path, empty folder, glob without a match) becomes an item with a `problem`. Only one folder's names
    are held in memory, plus a few dozen bytes per file to recognise repeated ones.

    names: hands out output names; pass the one of the output folder when continuing a run.
    passed: counts what the folders hold and is no item.
    frames: how many pictures of a file of several become items; None is all up to the limit of `anomalyclip.io.frames`.
    axis: x, y or z, along which volumes are cut into slices. max_pixels: as the pictures will be read with.
    """
    scan = _Scan(recursive, passed if passed is not None else PassedOver())
    names = names if names is not None else NameRegistry()
    prefixed = sum(os.path.isdir(p) for p in inputs) > 1
    seen: set[bytes] = set()
    for given in inputs:
        for found in _expand(given, scan, prefixed=prefixed):
            key = path_key(found.path)
            if (whole := key if found.frame is None else frame_key(key, found.frame)) in seen:
                continue
            seen.add(whole)
            for one in pictures_of(found, frames, axis, max_pixels):
                own = key if one.frame is None else frame_key(key, one.frame)
                name = names.claim(one.relative, path=one.path, key=own)
                path = formula_safe(one.path if one.frame is None else frame_path(one.path, one.frame))
                yield InputItem(path, name, own, one.problem, one.frame, axis)


def find_files(given: str, *, recursive: bool = False, passed: PassedOver | None = None) -> Iterator[Found]:
    """What one argument stands for, as `iter_inputs` expands it; nothing is remembered, so its number is no matter."""
    return _expand(given, _Scan(recursive, passed if passed is not None else PassedOver()), prefixed=False)


def survey_inputs(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    passed: PassedOver | None = None,
    frames: int | None = None,
    axis: str = "z",
    max_pixels: int | None = None,
) -> int:
    """Count the items before any work starts, and what is passed over (`passed`).

    Raises InputError when the inputs give nothing to attempt at all (the message says why for each).
    """
    if not inputs:
        raise InputError("No INPUT given. Name at least one image, folder or glob, such as: anomalyclip detect photos/")
    problems: list[str] = []
    count, usable = 0, False
    options: dict[str, Any] = {"frames": frames, "axis": axis, "max_pixels": max_pixels}
    for item in iter_inputs(inputs, recursive=recursive, passed=passed, **options):
        count += 1
        if item.problem is None:
            usable = True
        elif len(problems) < _SHOWN_PROBLEMS:
            problems.append(f"{item.path or repr('')}: {item.problem}")
    if not usable:
        raise InputError("There are no pictures to look at. " + "; ".join(problems))
    return count


def pictures_of(found: Found, frames: int | None, axis: str, max_pixels: int | None) -> Iterator[Found]:
    """The pictures of a file: itself where it holds one, else one each, and what is to be told of those left out."""
    if found.problem is not None or found.frame is not None:
        yield found
        return
    try:
        number = count_frames(found.path, axis=axis, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    except AnomalyClipError:  # reading it will say why, in its row
        number = 1
    if number == 1:
        yield found
        return
    stem, suffix = os.path.splitext(found.relative)
    taken, told = wanted(number, frames)
    for frame in range(taken):
        yield Found(found.path, f"{stem}-{frame:06d}{suffix}", frame=frame)
    if told is not None:
        yield Found(found.path, found.relative, told)


def formula_safe(path: str) -> str:
    """A relative path that a spreadsheet would run as a formula (`=x.png`) gets `./` in front: still the same file."""
    return f".{os.sep}{path}" if path[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else path


def _expand(given: str, scan: _Scan, *, prefixed: bool) -> Iterator[Found]:
    """One argument of the user: a literal path first (names may hold brackets), then a glob, then missing."""
    if os.path.lexists(given):
        base = os.path.basename(os.path.abspath(given)) if prefixed else ""
        yield from _expand_existing(given, base if os.path.isdir(given) else "", scan)
        return
    file, frame = split_frame(given)
    if frame is not None:
        stem, suffix = os.path.splitext(os.path.basename(file))
        yield Found(file, f"{stem}-{frame:06d}{suffix}", frame=frame)
        return
    if not glob.has_magic(given):
        yield Found(given, os.path.basename(given), _missing(given))
        return
    matches = _without_charts(sorted(glob.glob(given, recursive=True)))
    if not matches:
        yield Found(given, "glob", "no such file, and none matches it as a pattern")
    root = _glob_root(given)
    for match in matches:
        below = os.path.relpath(match, root) if root else match.lstrip(os.sep)
        yield from _expand_existing(match, below, scan)


def _without_charts(paths: Sequence[str]) -> list[str]:
    """Without what `calibrate` drew beside its profiles, as a scan of their folders would leave it out."""
    charts = {folder: charts_in(folder or ".") for folder in {os.path.dirname(path) for path in paths}}
    return [path for path in paths if os.path.basename(path) not in charts[os.path.dirname(path)]]


def _expand_existing(path: str, relative: str, scan: _Scan) -> Iterator[Found]:
    """A folder gives its images; anything else is attempted: the reader refuses what is no regular file."""
    if os.path.isdir(path):
        here = _Scan(scan.recursive)
        empty = True
        for found in _walk(path, relative, here):
            empty = False
            yield found
        scan.passed.merge(here.passed)
        if empty:
            yield Found(path, relative or os.path.basename(path), _nothing_in(path, here))
        return
    yield Found(path, relative or os.path.basename(path))


def _walk(top: str, relative: str, scan: _Scan) -> Iterator[Found]:
    """The pictures below a folder, files before and after subfolders as their names sort; no depth is too much."""
    entered: set[tuple[int, int]] = set()
    waiting: list[Iterator[tuple[Entry, str]]] = []

    def enter(folder: str, below: str) -> Iterator[Found]:
        try:
            status = os.stat(folder)
            if (real := (status.st_dev, status.st_ino)) in entered:  # a link that leads back up
                return
            entered.add(real)
            kept = _inside(scan_folder(folder))
        except OSError as error:
            reason = f"cannot list this folder: {error.strerror}"
            yield Found(folder, below or os.path.basename(folder), reason)
            return
        waiting.append(iter([(entry, os.path.join(below, entry.name)) for entry in kept]))

    yield from enter(top, relative)
    while waiting:
        entry, below = next(waiting[-1], (None, ""))
        if entry is None:
            waiting.pop()
        elif entry.kind is Kind.FOLDER and scan.recursive:
            yield from enter(entry.path, below)
        elif entry.kind is Kind.PICTURE:
            yield Found(entry.path, below)
        else:
            scan.passed.add(entry)


def _inside(entries: list[Entry]) -> list[Entry]:
    """Without the pictures that detect and calibrate wrote here, and without a download cache's store, whose names are
    links here."""
    names = {entry.name for entry in entries}
    ours = OUTPUT_FOLDERS if {RUN, RESULTS} <= names else ()
    store = ("blobs", "refs") if {"blobs", "refs", "snapshots"} <= names else ()
    left_out = {*ours, *store}
    charts = charts_among(names)
    return [entry for entry in entries if entry.name not in (left_out if entry.kind is Kind.FOLDER else charts)]


def _nothing_in(folder: str, scan: _Scan) -> str:
    """Why a folder gives no item, with what was found in it."""
    found = ["no image in this folder"]
    found += [line for line in scan.passed.lines() if "subfolder" not in line]
    if others := scan.passed.others:
        found.append(f"its {others:,} file{'s are' if others != 1 else ' is'} of other kinds")
    if scan.recursive or not scan.passed.folders:
        return "; ".join(found)
    deeper, counted = 0, 0
    for entry in scan_folder(folder):
        if entry.kind is Kind.FOLDER and counted < _MOST_COUNTED:
            with suppress(OSError), os.scandir(entry.path) as inner:
                for below in inner:
                    counted += 1
                    told = told_by_name(below.name)
                    deeper += told is not None and told.kind is Kind.PICTURE
    if deeper:
        found.append(f"{deeper:,} image{'s lie' if deeper != 1 else ' lies'} one level deeper: add --recursive")
    else:
        found.append("add --recursive to look into its subfolders")
    return "; ".join(found)


def _glob_root(pattern: str) -> str:
    """The folder above the first part with a wildcard: `data/*/x.png` -> `data`."""
    root = pattern
    while glob.has_magic(root):
        root = os.path.dirname(root)
    return root
