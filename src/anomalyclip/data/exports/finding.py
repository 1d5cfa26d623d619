"""Which exports lie in a folder: told by their content, since every tool lets people name them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anomalyclip.data.exports.coco import is_coco, read_coco
from anomalyclip.data.exports.cvat import read_cvat
from anomalyclip.data.exports.labelme import is_labelme, read_labelme
from anomalyclip.data.exports.marks import Annotations
from anomalyclip.data.exports.others import other_tool
from anomalyclip.data.exports.supervisely import is_project, is_supervisely, read_supervisely
from anomalyclip.data.exports.xml import root_of
from anomalyclip.data.pairing import entries, folded
from anomalyclip.data.places import Places
from anomalyclip.data.text import read_json
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

Reader = Callable[[dict[str, Any], Path, str, Places, Annotations], None]
_JSON: tuple[tuple[str, Callable[[Any], bool], Reader], ...] = (
    ("COCO", is_coco, read_coco),
    ("LabelMe", is_labelme, read_labelme),
    ("Supervisely", is_supervisely, read_supervisely),
)
_DEPTH = 4  # folders below the root
_MOST_FILES = 200_000
_YOLO = re.compile(r"\d+( -?\d*\.?\d+(e-?\d+)?){4,}\s*", re.IGNORECASE)
_SPLITS = {"test": ("test",), "train": ("train",)}
_OTHER_SPLITS = {"test": ("train", "val", "valid", "validation"), "train": ("test", "val", "valid", "validation")}


def find_annotations(root: Path, split: str, only: Path | None = None) -> tuple[Annotations | None, list[str]]:
    """(what the exports below a folder mark, lines about files that are not used and why); None where there are none.

    only: look at this file alone. Raises InputError for an export that is damaged, by file and entry.
    """
    found = Annotations()
    unused: list[str] = []
    places = Places(root, split=split)
    files = [only] if only is not None else _files(root)
    beside: list[Path] = []
    others: dict[str, list[Path]] = {}
    for path in _of_split([path for path in files if path.suffix.lower() == ".json"], root, split):
        _read_json(path, root, places, found, unused, beside, others)
    for tool, named in others.items():
        what = (
            f"{len(named)} files such as {_below(named[0], root)} are"
            if len(named) > 1
            else f"{_below(named[0], root)} is"
        )
        unused.append(f"{what} not used ({tool}: export COCO JSON instead, which is read)")
    if beside:
        forms = ", ".join(tool for tool, _, _ in _JSON)
        unused.append(f"{len(beside)} files such as {_below(beside[0], root)} are not used (they are none of {forms})")
    boxes = []
    for path in _of_split([path for path in files if path.suffix.lower() == ".xml"], root, split):
        kind = root_of(path)
        if kind == "annotations":
            read_cvat(path, printable(path), places, found)
            found.tools.append("CVAT")
        elif kind == "annotation":
            boxes.append(path)
    if boxes:
        what = "Pascal VOC's XML: boxes hold no pixels"
        unused.append(f"{len(boxes)} files such as {_below(boxes[0], root)} are not used ({what}; export polygons)")
    yolo = [path for path in files if path.suffix.lower() == ".txt" and _is_yolo(path)]
    if yolo:
        what = "YOLO's text: export COCO JSON instead, which is read"
        unused.append(f"{len(yolo)} files such as {_below(yolo[0], root)} are not used ({what})")
    return (found if found.images or found.missing else None), unused


def _files(root: Path) -> list[Path]:
    """JSON, XML and text files below the root, a few levels deep."""
    files, waiting, count = [], [(root, 0)], 0
    while waiting and count < _MOST_FILES:
        folder, depth = waiting.pop()
        for path in entries(folder):
            count += 1
            if path.is_dir():
                if depth < _DEPTH and not path.is_symlink():
                    waiting.append((path, depth + 1))
            elif path.suffix.lower() in (".json", ".xml", ".txt"):
                files.append(path)
    return sorted(files)


def _of_split(files: list[Path], root: Path, split: str) -> list[Path]:
    """Without the files that are named after another split, where any is named after this one."""

    def named(path: Path, words: tuple[str, ...]) -> bool:
        parts = path.relative_to(root).with_suffix("").parts
        return any(word in re.split(r"[^a-z]+", folded(part)) for part in parts for word in words)

    if not any(named(path, _SPLITS[split]) for path in files):
        return files
    return [path for path in files if not named(path, _OTHER_SPLITS[split])]


def _read_json(
    path: Path,
    root: Path,
    places: Places,
    found: Annotations,
    unused: list[str],
    beside: list[Path],
    others: dict[str, list[Path]],
) -> None:
    """Add an export's marks, or say why not: in `unused`, in `others` by the tool that wrote it, in `beside` where it
    is called like a picture."""
    shown = printable(path)
    try:
        content = read_json(path)
    except InputError as error:
        unused.append(f"{_below(path, root)} is not used ({error})")
        return
    except (ValueError, RecursionError) as error:
        unused.append(f"{_below(path, root)} is not used (not valid JSON: {' '.join(str(error).split())[:80]})")
        return
    for tool, fits, read in _JSON:
        if fits(content):
            read(content, path, shown, places, found)
            if tool not in found.tools:
                found.tools.append(tool)
            return
    if (tool_of := other_tool(content)) is not None:
        others.setdefault(tool_of, []).append(path)
        return
    ours = isinstance(content, dict) and ("train" in content or "test" in content or "families" in content)
    if path.parent == root and not is_project(content) and not ours:
        forms = ", ".join(tool for tool, _, _ in _JSON)
        unused.append(f"{_below(path, root)} is not used (it is none of meta.json, {forms})")
    elif not is_project(content) and places.find(path.stem, shown) is not None:
        beside.append(path)


def _is_yolo(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4096).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return False
    first = head.split("\n", 1)[0].strip()
    return _YOLO.fullmatch(first) is not None


def _below(path: Path, root: Path) -> str:
    return printable(path.relative_to(root))
