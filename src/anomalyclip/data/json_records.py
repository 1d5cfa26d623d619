"""JSON that lists images as a table does: objects in a list, in one of an object, in one of each split, or by file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from anomalyclip.data.exports.others import other_tool
from anomalyclip.data.folder_names import split_of
from anomalyclip.data.text import read_json
from anomalyclip.errors import InputError
from anomalyclip.io.limits import SUFFIXES

SUFFIX = ".json"
#: What the list is called where an object holds it; COCO's second list is none of these.
_HOLDERS = ("images", "data", "samples", "items", "records", "files", "entries", "annotations", "dataset", "labels")
_HEAD = 4096  # bytes that tell most other JSON, whose parsing may take long
_LIKELY = re.compile(rb'\s*(\[\s*\{|\{\s*"[^"]*"\s*:)')


def holds_records(path: Path) -> bool:
    """Whether a JSON file lists images as a table does; damaged ones do not."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return _LIKELY.match(head.removeprefix(b"\xef\xbb\xbf")) is not None and records_in(read_json(path)) is not None
    except (InputError, OSError, ValueError, RecursionError):
        return False


def records_in(content: Any) -> list[dict[str, Any]] | None:
    """The rows of parsed JSON; None where it is of another form.

    >>> records_in({"info": {}, "images": [{"file": "a.png", "label": 1}]})
    [{'file': 'a.png', 'label': 1}]
    >>> records_in({"test": [{"file": "a.png", "label": 1}]})
    [{'file': 'a.png', 'label': 1, 'split': 'test'}]
    >>> records_in({"a.png": 0, "b.png": {"label": "crack"}})
    [{'file_name': 'a.png', 'label': 0}, {'file_name': 'b.png', 'label': 'crack'}]
    """
    if other_tool(content) is not None:
        return None
    if isinstance(content, dict):
        lists = [name for name, value in content.items() if _is_rows(value)]
        if len(lists) == 1 and lists[0] in _HOLDERS and not any(content.get(name) == [] for name in _HOLDERS):
            return records_in(content[lists[0]])
        return _of_splits(content) or _of_files(content)
    return content if _is_rows(content) else None


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _of_splits(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    """{"train": [...], "test": [...]}, in which no object says more, as Real-IAD's does."""
    lists = {name: rows for name, rows in content.items() if isinstance(rows, (list, dict))}
    if not lists or not all(split_of(name) and _is_rows(rows) for name, rows in lists.items()):
        return None
    return [{**row, "split": split_of(name)} for name, rows in lists.items() for row in rows]


def _of_files(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    if not content or not all(Path(name).suffix.lower() in SUFFIXES for name in content):
        return None
    rows = {name: value if isinstance(value, dict) else {"label": value} for name, value in content.items()}
    return [{"file_name": name, **row} for name, row in rows.items()]
