"""Lists of images in a file: the authors' meta.json, and CSV. Untrusted: bounded, and no path leaves the root."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

MAX_BYTES = 256 << 20
_LABELS = dict.fromkeys(("0", "normal", "good", "ok", "no", "false"), NORMAL)
_LABELS |= dict.fromkeys(("1", "anomaly", "anomalous", "abnormal", "defect", "bad", "ko", "yes", "true"), ANOMALOUS)
_SAME = {"object": "class", "cls_name": "class", "class_name": "class", "specie_name": "kind", "defect": "kind"}
_SAME |= {"img_path": "image", "image_path": "image", "mask_path": "mask", "anomaly": "label"}


def inside(root: Path, text: str, where: str) -> Path:
    """`root`/`text`, or InputError if that leaves the root (by .. or as an absolute path). `where` starts the message.

    Backslashes of Windows count as slashes where no file of that very name exists.
    """
    refused = f"{where}: the path {printable(text[:200])!r}"
    if "\0" in text:
        raise InputError(f"{refused} holds a NUL character; write the list anew")
    path = Path(os.path.normpath(text))
    if "\\" in text and not (root / path).exists():
        path = Path(os.path.normpath(text.replace("\\", "/")))
    if path.is_absolute() and path.is_relative_to(root):
        path = path.relative_to(root)
    foreign = path.anchor or (PureWindowsPath(text).is_absolute() and not (root / path).exists())
    if foreign or path.parts[:1] in ((), ("..",)):
        raise InputError(
            f"{refused} leads outside {printable(root)}; paths must be relative to that folder. Write a new list with: "
            "anomalyclip data meta DIR"
        )
    return root / path


class Files:
    """Does a file exist? One listing per folder instead of one question per file."""

    def __init__(self) -> None:
        self._known: dict[Path, set[str]] = {}

    def has(self, path: Path) -> bool:
        if path.parent not in self._known:
            try:
                self._known[path.parent] = {found.name for found in path.parent.iterdir()}
            except OSError:
                self._known[path.parent] = set()
        return path.name in self._known[path.parent]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{printable(path)} is larger than {MAX_BYTES >> 20} MB; this is no list of images")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {printable(path)}: {error.strerror or error}; check the path") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{printable(path)}, line {line}: not UTF-8 text; save it as UTF-8") from error


def read_meta(path: Path, draft: Draft) -> None:
    """The authors' interchange format: {"test": {class: [{"img_path", "mask_path", "cls_name", ...}]}}."""
    shown = printable(path)
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{shown}, line {error.lineno}: not valid JSON ({error.msg}); write it anew") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{shown}: not a list of images ({error}); write it anew") from error
    splits = {str(key).casefold(): value for key, value in content.items()} if isinstance(content, dict) else {}
    if not isinstance(splits.get(draft.split), dict):  # the authors' DAGM script writes "Train" and "Test"
        given = ", ".join(map(repr, list(splits)[:5])) or type(content).__name__
        raise InputError(f'{shown}: expected {{"{draft.split}": {{class: [images]}}}}, found {printable(given)}')
    files, missing = Files(), []
    draft.pixel_level |= any(_mentions_masks(split) for split in splits.values())
    for class_name, entries in splits[draft.split].items():
        if not isinstance(entries, list):
            raise InputError(f"{shown}: {draft.split}, class {printable(class_name)!r}: expected a list of images")
        for number, entry in enumerate(entries, 1):
            where = f"{shown}: {draft.split}, class {printable(class_name)!r}, entry {number}"
            image, mask, label, kind, name = _entry(entry, where)
            full = inside(draft.root, image, where)
            if files.has(full):
                mask_file = inside(draft.root, mask, where) if mask else None
                found = mask_file if mask_file and files.has(mask_file) else None
                if mask_file and not found:
                    draft.problem_files("listed masks that do not exist", [mask_file])
                draft.add(full, found, label, name or class_name, kind if kind not in ("", "good") else "")
            else:
                missing.append(full)
    draft.problem_files("listed images that do not exist (not used)", missing)


def _mentions_masks(split: Any) -> bool:
    if not isinstance(split, dict):
        return False
    lists = [entries for entries in split.values() if isinstance(entries, list)]
    return any(isinstance(entry, dict) and entry.get("mask_path") for entries in lists for entry in entries)


def _entry(entry: Any, where: str) -> tuple[str, str, int, str, str]:
    keys = ("img_path", "mask_path", "specie_name", "cls_name")
    if not isinstance(entry, dict):
        raise InputError(f"{where}: expected an object with img_path, mask_path, cls_name, specie_name, anomaly")
    texts = [entry.get(key, "") if entry.get(key) is not None else "" for key in keys]
    wrong = [key for key, text in zip(keys, texts, strict=True) if not isinstance(text, str)]
    if wrong or not texts[0]:
        raise InputError(
            f"{where}: {wrong[0] if wrong else 'img_path'} must be text, got {entry.get((wrong or keys)[0])!r}"
        )
    if entry.get("anomaly") not in (0, 1) or isinstance(entry["anomaly"], float):
        raise InputError(f"{where}: anomaly must be 0 or 1, got {entry.get('anomaly')!r}")
    return texts[0], texts[1], int(entry["anomaly"]), texts[2], texts[3]


def columns_of(path: Path) -> tuple[str, ...]:
    """A CSV's column names in our words ("object" and "cls_name" are "class"); () if it cannot be read as text."""
    try:
        with path.open("rb") as file:  # bytes: a bad one further down must not hide the header
            line = file.readline(10_000).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ()
    names = next(csv.reader([line], delimiter=_delimiter(line)), [])
    return tuple(_SAME.get(name.strip().casefold(), name.strip().casefold()) for name in names)


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row by column name) of a CSV with a header; commas, semicolons or tabs. Raises InputError."""
    text, names, shown = _text(path), columns_of(path), printable(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.split("\n", 1)[0]), strict=True)
    try:
        for number, row in enumerate(reader):
            if number == 0 or not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise InputError(
                    f"{shown}, line {reader.line_num}: {len(row)} fields where the header has {len(names)} "
                    f"({printable(', '.join(names))}); quote fields that hold the separator"
                )
            yield reader.line_num, dict(zip(names, (cell.strip() for cell in row), strict=True))
    except csv.Error as error:
        raise InputError(f"{shown}, line {reader.line_num}: not valid CSV ({error}); write it anew") from error


def read_table(path: Path, draft: Draft, class_name: str | None = None) -> None:
    """A CSV with the columns image and label, and optionally mask, class, kind, split; paths relative to the root."""
    names = columns_of(path)
    lacking = [name for name in ("image", "label") if name not in names]
    if lacking or len(set(names)) < len(names):
        raise InputError(
            f"{printable(path)}, line 1: expected the columns image, label and optionally mask, class, kind, split, "
            f"each once; found {printable(', '.join(names)) or 'none'}"
        )
    files, missing = Files(), []
    for line, row in read_rows(path):
        where = f"{printable(path)}, line {line}"
        if row.get("split", draft.split).casefold() != draft.split:
            draft.pixel_level |= bool(row.get("mask"))
            continue
        if row["label"].casefold() not in _LABELS:
            raise InputError(f"{where}: unknown label {row['label']!r}; expected one of {', '.join(_LABELS)}")
        image = inside(draft.root, row["image"], where)
        mask = inside(draft.root, row["mask"], where) if row.get("mask") else None
        draft.pixel_level |= mask is not None
        if not files.has(image):
            missing.append(image)
            continue
        if mask and not files.has(mask):
            draft.problem_files("listed masks that do not exist", [mask])
            mask = None
        label = _LABELS[row["label"].casefold()]
        draft.add(image, mask, label, row.get("class") or class_name or draft.root.name, row.get("kind", ""))
    draft.problem_files("listed images that do not exist (not used)", missing)
    # Rows of one class may be scattered over the file.
    order = {name: rank for rank, name in enumerate(dict.fromkeys(item.class_name for item in draft.items))}
    draft.items.sort(key=lambda item: order[item.class_name])
