"""The output folder of `detect`: what lies in it, when it may be used, and whether a run may be continued in it.

results.jsonl   one row per input, the source of truth
results.csv     the same as a table of single values
report.html     the gallery
overlays/       heat map over image, PNG
maps/           anomaly maps at the image's size, float32
findings.*      regions with outlines, for other tools
groups.*        with --mutual: what is odd, in groups of alike faults
batch.json      with --mutual: which pictures were compared with each other; the same on --resume, or refused
run.json        what made the results: compared on --resume
cards.jsonl     per image: its output name and its thumbnails, needed to rebuild the report
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import TEMPORARY, output_error
from anomalyclip.io.locks import lock
from anomalyclip.io.names import StrPath, printable

RESULTS, TABLE, REPORT, RUN, CARDS = "results.jsonl", "results.csv", "report.html", "run.json", "cards.jsonl"
FILES = "files.jsonl"
BATCH, SEEN = "batch.json", "batch"
"""The batch that scores depend on; and what was seen of its pictures, while it is judged."""
PASSED = "passed_over"
"""The key of run.json that says what the input folders hold and was no input; it makes no result, so it may change."""
FINDINGS = {
    "coco": "findings.coco.json",
    "geojson": "findings.geojson",
    "cvat": "findings.cvat.xml",
    "label-studio": "findings.label-studio.json",
}
GROUPS, GROUPS_PAGE = "groups.json", "groups.html"
OVERLAYS, MAPS = "overlays", "maps"
OUTPUT_FOLDERS = (OVERLAYS, MAPS)

_OUR_SUFFIXES = {OVERLAYS: (".png",), MAPS: (".tiff", ".npz")}
_ABSENT = object()
_PROBE = ".anomalyclip-probe.tmp"
_NOBODYS = {_PROBE, "lost+found"}  # of a kill, and of a volume's own root
HASHES = ("weights_sha256", "prompts_sha256")
_QUOTED_HASH = 66  # characters


def create(path: Path) -> None:
    """Make the folder and prove that a file can be written in it. Raises OutputError."""
    probe = path / _PROBE
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except FileExistsError:
        raise OutputError(f"--output {printable(path)}: a file of that name exists; name a folder") from None
    except OSError as error:
        raise output_error(path, error) from error


def foreign(path: Path, *ours: str) -> list[str]:
    """Names of what lies in a folder, but for `ours` and what is nobody's work."""
    return sorted(one.name for one in path.iterdir() if one.name not in {*ours, *_NOBODYS})


def refuse_used(path: Path) -> None:
    """Raises ConfigError for a folder that holds anything, with the ways on."""
    if not foreign(path):
        return
    if (path / RUN).exists():
        raise ConfigError(
            f"--output {printable(path)} holds the results of an earlier run. Continue it with --resume, "
            "replace it with --overwrite, or name another folder"
        )
    raise ConfigError(
        f"--output {printable(path)} is not empty and not from an earlier run. Name another folder, or add --overwrite "
        "to write here all the same (other files stay)"
    )


def clear(path: Path) -> None:
    """Remove an earlier run's files, nothing else: no run.json, no claim to overlays/ and maps/."""
    if (path / RUN).exists():
        for folder, suffixes in _OUR_SUFFIXES.items():
            for file in (path / folder).rglob("*"):
                if file.suffix in suffixes and file.is_file():
                    file.unlink()
        shutil.rmtree(path / SEEN, ignore_errors=True)
    for name in (RESULTS, TABLE, REPORT, CARDS, FILES, *FINDINGS.values(), BATCH, GROUPS, GROUPS_PAGE, RUN):
        (path / name).unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove the half-written files that a killed run left behind (:func:`anomalyclip.io.atomic_write` names them)."""
    for pattern in (".*.tmp", *(f"{name}/**/.*.tmp" for name in OUTPUT_FOLDERS)):
        for file in path.glob(pattern):
            if TEMPORARY.fullmatch(file.name):
                file.unlink(missing_ok=True)


def compare_run(path: Path, now: Mapping[str, Any]) -> None:
    """Raises ConfigError that names every difference between the recorded run and this one."""
    try:
        before = json.loads((path / RUN).read_bytes())
    except (OSError, ValueError, RecursionError):
        before = None
    check_same_run(before, now, path)


def check_same_run(before: Any, now: Mapping[str, Any], path: StrPath) -> None:
    """The same for a record read from anywhere; `path` is where the results lie. Raises ConfigError."""
    if not isinstance(before, Mapping):
        raise ConfigError(
            f"--resume: {printable(path)}/{RUN} is missing or damaged, so it is not known what made the results there. "
            "Start again with --overwrite, or name another folder"
        )
    then, present = (dict(_flat({k: v for k, v in run.items() if k != PASSED})) for run in (before, now))
    different = [key for key in {**then, **present} if then.get(key, _ABSENT) != present.get(key, _ABSENT)]
    if different:
        listed = "; ".join(f"{key} {_show(then, key)} then, {_show(present, key)} now" for key in different)
        raise ConfigError(
            f"--resume: the run in {printable(path)} was made differently: {listed}. "
            f"{_way_on(different)}start again with --overwrite, or name another folder"
        )


def _way_on(different: Collection[str]) -> str:
    """No option brings back what went by the same name in an earlier version."""
    names = [key.rpartition(".")[2] for key in different]
    changed = [name.removesuffix("_sha256") for name in names if name in HASHES]
    if not changed or {"model", "prompts"} & set(names):
        return "Use the same options, "
    return f"The {' and '.join(changed)} of that name are others now, as in another version of the model: "


def check_same_batch(path: Path, now: Mapping[str, Any]) -> None:
    """Raises ConfigError where the folder holds results of another batch than ``now`` (its record)."""
    before = recorded_batch(path)
    if before is not None and before.get("sha256") != now["sha256"]:
        raise ConfigError(
            f"--resume: the {before.get('pictures', 0):,} pictures that were compared in {printable(path)} are not the "
            f"{now['pictures']:,} that are here now (some came, went or changed), and every score depends on all of "
            "them. Start again with --overwrite, or name another folder"
        )


def recorded_batch(path: Path) -> Mapping[str, Any] | None:
    """The batch of an earlier run; None where there is none."""
    try:
        before = json.loads((path / BATCH).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return before if isinstance(before, Mapping) else None


def working_folder(path: Path) -> str:
    """The folder that relative paths of the rows count from, as run.json records it; else the present one."""
    try:
        told = json.loads((path / RUN).read_bytes()).get("cwd")
    except (OSError, ValueError, AttributeError, RecursionError):
        told = None
    return told if isinstance(told, str) else str(Path.cwd())


class FolderLock:
    """Holds a folder until it is closed, or the process ends, so that two runs never write one folder.

    Taken before the first look into the folder: what was seen in it stays true. The folder itself is locked, so that
    nothing lies in it for that. Without effect where the system, or a network file system, has no such locks. Raises
    OutputError when another run holds it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):  # a folder cannot be opened everywhere
            self._descriptor = os.open(path, os.O_RDONLY)
        taken = None if self._descriptor is None else lock(self._descriptor)
        if not taken:
            self.close()
        if taken is False:
            raise OutputError(f"another run is writing to {printable(path)}; wait for it or name another folder")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix.removeprefix("settings.") + key, value


def _show(values: Mapping[str, Any], key: str) -> str:
    shown = json.dumps(values[key]) if key in values else "not recorded"
    return f"{values[key][:12]}..." if key.endswith(HASHES) and len(shown) == _QUOTED_HASH else shown
