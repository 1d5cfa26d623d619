"""The authors' meta.json: {"test": {class: [{"img_path", "mask_path", "cls_name", ...}]}}. Untrusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomalyclip.data.draft import Draft
from anomalyclip.data.places import Places, inside
from anomalyclip.data.text import read_json
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable


def read_meta(path: Path, draft: Draft) -> None:
    """The authors' interchange format: {"test": {class: [{"img_path", "mask_path", "cls_name", ...}]}}."""
    shown = printable(path)
    try:
        content = read_json(path)
    except json.JSONDecodeError as error:
        raise InputError(f"{shown}, line {error.lineno}: not valid JSON ({error.msg}); write it anew") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{shown}: not a list of images ({error}); write it anew") from error
    splits = {str(key).casefold(): value for key, value in content.items()} if isinstance(content, dict) else {}
    if not isinstance(splits.get(draft.split), dict):  # the authors' DAGM script writes "Train" and "Test"
        given = ", ".join(map(repr, list(splits)[:5])) or type(content).__name__
        raise InputError(f'{shown}: expected {{"{draft.split}": {{class: [images]}}}}, found {printable(given)}')
    places, missing = Places(draft.root), []
    draft.pixel_level |= any(_mentions_masks(split) for split in splits.values())
    for class_name, entries in splits[draft.split].items():
        if not isinstance(entries, list):
            raise InputError(f"{shown}: {draft.split}, class {printable(class_name)!r}: expected a list of images")
        for number, entry in enumerate(entries, 1):
            where = f"{shown}: {draft.split}, class {printable(class_name)!r}, entry {number}"
            image, mask, label, kind, name = _entry(entry, where)
            full = places.exact(image, where)
            if full is not None:
                found = places.exact(mask, where) if mask else None
                if mask and found is None:
                    draft.problem_files("listed masks that do not exist", [inside(draft.root, mask, where)])
                draft.add(full, found, label, name or class_name, kind if kind not in ("", "good") else "")
            else:
                missing.append(inside(draft.root, image, where))
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
