"""The list of labels that lies in a folder of pictures: used, or named with the reason why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASE_FOLDERS, split_of
from anomalyclip.data.inferred import BOXES, with_inferred_columns
from anomalyclip.data.json_lines import SUFFIXES as JSON_LINES
from anomalyclip.data.json_records import SUFFIX as JSON_RECORDS
from anomalyclip.data.json_records import holds_records
from anomalyclip.data.listings import child, folded, listing
from anomalyclip.data.places import Places
from anomalyclip.data.tables import Table, answers_of, is_list, open_table
from anomalyclip.data.text import decode
from anomalyclip.data.untold_labels import remedy
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

TABLES = (".csv", ".tsv", ".tab", ".psv", *JSON_LINES)
_TEXTS = (".txt", ".lst")
#: Files that may hold labels and are never opened here; and texts that are named where they name a picture.
_CLOSED = (
    ".parquet", ".feather", ".arrow", ".db", ".sqlite", ".sqlite3", ".pkl", ".pickle", ".npy", ".npz", ".mat", ".h5",
    ".hdf5", ".mdb", ".accdb", ".rtf", ".doc", ".docx", ".pdf",
)  # fmt: skip
_OTHER_TEXTS = (".yaml", ".yml", ".md", ".html", ".htm", ".toml", ".ini", ".log")
_NAME = re.compile(r"[^\s\"',;|:<>\[\]{}()]+\.[A-Za-z]\w{2,3}\b")
_ANSWERS = re.compile(r"submission|(?<![a-z])pred(ict\w*|s)?(?![a-z])")
_LOOKED_AT = 1 << 20
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_SPLIT_WORDS = {"test": ("test",), "train": ("train", "training")}


@dataclass(frozen=True)
class Lists:
    """table: the list to use. unused: a line per other list. other: where there is none to use, the only one of
    another split, which `unused` does not name."""

    table: Table | None
    unused: tuple[str, ...]
    other: Table | None = None


def find_list(root: Path, split: str) -> Lists:
    """Look at the top of a folder and in those of its subfolders that hold no pictures.

    Raises InputError where several lists would do.
    """
    usable: list[Table] = []
    unused: list[str] = []
    places = Places(root)
    for path in _candidates(root, split):
        shown = printable(path.relative_to(root))
        if path.suffix.lower() in _WORKBOOKS:
            unused.append(f"{shown} is not used (a workbook): save it as CSV beside it")
            continue
        if path.suffix.lower() in _CLOSED or (path.suffix.lower() in _OTHER_TEXTS and _names_pictures(path, places)):
            unused.append(f"{shown} is not used ({path.suffix.lower()}): save its labels as CSV beside it")
            continue
        if path.suffix.lower() in _OTHER_TEXTS:
            continue
        if _ANSWERS.search(path.stem.casefold()):
            unused.append(f"{shown} is not used: by its name it holds a program's answers, which are no truth")
            continue
        try:
            table = with_inferred_columns(open_table(path, places), places)
        except InputError as error:
            if path.suffix.lower() in (*TABLES, JSON_RECORDS):
                unused.append(f"{shown} is not used ({error})")
            continue
        scores = answers_of(table.header)
        if scores is not None:
            unused.append(f"{shown} is not used: beside its column {printable(scores)} its decisions are a program's")
        elif is_list(table.names):
            usable.append(table)
        elif path.suffix.lower() in (*TABLES, JSON_RECORDS):
            columns = ", ".join(table.header[:8]) or "no header"
            lacking = "an image" if "image" not in table.names else "a label"
            told = remedy(table, BOXES) if "image" in table.names else ""
            unused.append(
                f"{shown} is not used: {lacking} column is not among its columns ({printable(columns)}){told}"
            )
        elif _names_pictures(path, places) and not re.match("readme|licen[cs]e", path.stem, re.IGNORECASE):
            unused.append(f"{shown} is not used: its lines are no paths with labels; save it as CSV beside it")
    chosen = _of_split(usable, split)
    if len(chosen) > 1:
        names = ", ".join(printable(table.path.relative_to(root)) for table in chosen)
        raise InputError(f"{printable(root)} holds several lists of images ({names}); give the path of one of them")
    others = [table for table in usable if table not in chosen]
    if not chosen and len(others) == 1:
        return Lists(None, tuple(unused), others[0])
    unused += [of_another_split(table, root) for table in others]
    return Lists(chosen[0] if chosen else None, tuple(unused))


def of_another_split(table: Table, root: Path) -> str:
    """The line that names a list as unused for its split."""
    return f"{printable(table.path.relative_to(root))} is not used (of another split)"


def tell(draft: Draft, unused: tuple[str, ...] | list[str]) -> None:
    """Record what is not used."""
    draft.problems += unused


def _candidates(root: Path, split: str) -> list[Path]:
    """Files at the top, in folders without pictures, and beside the pictures of the split (Roboflow, ImageFolder); of
    another where this one has no folder."""
    wanted = (split, *(other for other in PHASE_FOLDERS if other != split))
    names = (name for one in wanted for name in PHASE_FOLDERS[one])
    own = next((path for name in names if (path := child(root, name)).is_dir()), None)
    kinds = frozenset((*TABLES, JSON_RECORDS, *_TEXTS, *_WORKBOOKS, *_CLOSED, *_OTHER_TEXTS))
    top = listing(root)
    found = [path for path in top.files(kinds) if path.is_file()]
    for folder in top.folders:
        here = listing(folder)
        if folder == own or not here.pictures:
            found += [path for path in here.files((*TABLES, *_WORKBOOKS, JSON_RECORDS)) if path.is_file()]
    return [path for path in found if path.suffix.lower() != JSON_RECORDS or holds_records(path)]


def _names_pictures(path: Path, places: Places) -> bool:
    """Whether a text names a picture of the folder."""
    try:
        with path.open("rb") as file:
            text = decode(file.read(_LOOKED_AT))[0]
    except (OSError, InputError):
        return False
    return any(places.holds(name) for name, _ in zip(dict.fromkeys(_NAME.findall(text)), range(200), strict=False))


def _of_split(tables: list[Table], split: str) -> list[Table]:
    words = _SPLIT_WORDS[split]
    named = [table for table in tables if any(word in _called(table.path) for word in words)]
    others = [word for name, words in _SPLIT_WORDS.items() if name != split for word in (*words, "val")]
    rest = [table for table in tables if not any(word in _called(table.path) for word in others)]
    return named or rest


def _called(path: Path) -> str:
    """What tells a list's split: its name, and its folder's where that is a split's."""
    return folded(f"{split_of(path.parent.name)} {path.stem}")
