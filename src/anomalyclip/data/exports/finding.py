"""Which exports lie in a folder: told by their content, since every tool lets people name them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalyclip.data.exports.coco import is_coco, read_coco
from anomalyclip.data.exports.cvat import read_cvat
from anomalyclip.data.exports.labelme import is_labelme, read_labelme
from anomalyclip.data.exports.marks import Annotations
from anomalyclip.data.exports.others import other_tool
from anomalyclip.data.exports.supervisely import is_project, is_supervisely, read_supervisely
from anomalyclip.data.exports.xml import root_of
from anomalyclip.data.json_records import records_in
from anomalyclip.data.listings import listing
from anomalyclip.data.places import Places, is_named_after
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
#: Keys of files that hold settings or splits, and no label: ours, Real-IAD's, nnU-Net's dataset.json.
_NO_LABELS = frozenset(("train", "test", "families", "numTraining"))
_VALIDATION = ("val", "valid", "validation")
#: What files of a split are named after, the first words that any is; without test files those for validation are.
_SPLITS = {"test": (("test", "testing"), _VALIDATION), "train": (("train", "training"),)}
_ALL = frozenset(("test", "testing", "train", "training", *_VALIDATION))


@dataclass
class _Search:
    """JSON files below `root`. found: what exports mark; unused: lines about files that are not used; others: files by
    the tool that wrote them, which is not read; beside: files that are called like a picture and are no export."""

    root: Path
    places: Places
    found: Annotations = field(default_factory=Annotations)
    unused: list[str] = field(default_factory=list)
    others: dict[str, list[Path]] = field(default_factory=dict)
    beside: list[Path] = field(default_factory=list)

    def take(self, path: Path) -> None:
        """Add a file's marks, or say why not. Raises InputError for an export that is damaged."""
        content = self._content(path)
        if content is None:
            return
        for tool, fits, read in _JSON:
            if fits(content):
                read(content, path, printable(path), self.places, self.found)
                if tool not in self.found.tools:
                    self.found.tools.append(tool)
                return
        if (tool_of := other_tool(content)) is not None:
            self.others.setdefault(tool_of, []).append(path)
            return
        if records_in(content) is not None:
            return  # told as a list of pictures
        ours = isinstance(content, dict) and not _NO_LABELS.isdisjoint(content)
        if path.parent == self.root and not is_project(content) and not ours:
            forms = ", ".join(tool for tool, _, _ in _JSON)
            self.unused.append(f"{_below(path, self.root)} is not used (it is none of meta.json, {forms})")
        elif not is_project(content) and self.places.find(path.stem, printable(path)) is not None:
            self.beside.append(path)

    def _content(self, path: Path) -> Any:
        try:
            return read_json(path)
        except InputError as error:
            self.unused.append(f"{_below(path, self.root)} is not used ({error})")
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:80]
            self.unused.append(f"{_below(path, self.root)} is not used (not valid JSON: {reason})")
        return None

    def tell(self) -> list[str]:
        """The lines about files that are not used."""
        lines = list(self.unused)
        for tool, named in self.others.items():
            first = _below(named[0], self.root)
            what = f"{len(named)} files such as {first} are" if len(named) > 1 else f"{first} is"
            lines.append(f"{what} not used ({tool}: export COCO JSON instead, which is read)")
        if self.beside:
            forms, first = ", ".join(tool for tool, _, _ in _JSON), _below(self.beside[0], self.root)
            lines.append(f"{len(self.beside)} files such as {first} are not used (they are none of {forms})")
        return lines


def find_annotations(root: Path, split: str, only: Path | None = None) -> tuple[Annotations | None, list[str]]:
    """(what the exports below a folder mark, lines about files that are not used and why); None where there are none.

    only: look at this file alone. Raises InputError for an export that is damaged, by file and entry.
    """
    files = [only] if only is not None else _files(root)
    marked = [path for path in files if path.suffix.lower() in (".json", ".xml")]
    words = next((some for some in _SPLITS[split] if any(is_named_after(path, root, some) for path in marked)), ())
    others = _ALL.difference(words) if words else frozenset[str]()
    left = tuple(path for path in marked if is_named_after(path, root, others))
    marked = [path for path in marked if path not in left]
    search = _Search(root, Places(root, split=words), Annotations(others=others, left=left))
    for path in (path for path in marked if path.suffix.lower() == ".json"):
        search.take(path)
    found, unused = search.found, search.tell()
    if words == _VALIDATION:
        found.notes.append("files for validation are read as the test split, as there are none for tests")
    boxes = []
    for path in (path for path in marked if path.suffix.lower() == ".xml"):
        kind = root_of(path)
        if kind == "annotations":
            read_cvat(path, printable(path), search.places, found)
            found.tools.append("CVAT")
        elif kind == "annotation":
            boxes.append(path)
    if boxes:
        what = "Pascal VOC's XML: boxes hold no pixels"
        unused.append(f"{len(boxes)} files such as {_below(boxes[0], root)} are not used ({what}; export polygons)")
    yolo = [path for path in files if path.suffix.lower() == ".txt" and _is_yolo(path)]
    if yolo:
        form = "boxes in pixels, as DeepPCB has them" if _is_in_pixels(yolo[0]) else "YOLO's text"
        what = f"{form}: export COCO JSON instead, which is read"
        unused.append(f"{len(yolo)} files such as {_below(yolo[0], root)} are not used ({what})")
    return (found if found.images or found.missing else None), unused


def listed_in(files: Sequence[Path], root: Path) -> set[Path]:
    """The images that exports list; damaged ones list none."""
    search = _Search(root, Places(root))
    for path in files:
        with suppress(InputError):
            if path.suffix.lower() == ".json":
                search.take(path)
            else:
                read_cvat(path, printable(path), search.places, search.found)
    return set(search.found.images)


def _files(root: Path) -> list[Path]:
    """JSON, XML and text files below the root, a few levels deep."""
    files, waiting, count = [], [(root, 0)], 0
    while waiting and count < _MOST_FILES:
        folder, depth = waiting.pop()
        here = listing(folder)
        count += len(here)
        waiting += [(path, depth + 1) for path in here.folders if depth < _DEPTH and not path.is_symlink()]
        files += here.files((".json", ".xml", ".txt"))
    return sorted(files)


def _is_yolo(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4096).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return False
    first = head.split("\n", 1)[0].strip()
    return _YOLO.fullmatch(first) is not None


def _is_in_pixels(path: Path) -> bool:
    """Whether a text of boxes counts pixels: x1, y1, x2, y2 and a type. YOLO's are shares of the picture."""
    with path.open("rb") as file:
        first = file.read(4096).decode("ascii", "replace").split("\n", 1)[0]
    return any(float(number) > 1 for number in first.split()[1:])


def _below(path: Path, root: Path) -> str:
    return printable(path.relative_to(root))
