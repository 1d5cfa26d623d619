"""Real-IAD's layout: a JSON file for each class says which of its pictures are for training and which for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalyclip.data.columns import label_of
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES
from anomalyclip.data.listings import child, folders, listing
from anomalyclip.data.places import Places
from anomalyclip.data.text import read_json
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

_JSONS = "realiad_jsons"


@dataclass(frozen=True)
class SplitJson:
    """{"meta": {"normal_class", "prefix"}, "train": [{"anomaly_class", "image_path", "mask_path"}], "test": [...]}.

    The files lie at the root or in realiad_jsons/, the pictures in the class's folder at the root or one level deeper.
    """

    words: str = "<class>.json (train and test) beside <class>/{OK,NG/<defect>}/, or in realiad_jsons/"
    splits: frozenset[str] = PHASES

    def _found(self, root: Path) -> dict[Path, tuple[dict[str, Any], Path]]:
        """File -> (its content, the folder of its class), of the first place that holds any."""
        for place in (root, child(root, _JSONS), child(root, _JSONS, _JSONS)):
            files = [path for path in listing(place).files((".json",)) if path.is_file()]
            told = {
                path: (content, folder) for path in files if (folder := _folder(root, path)) and (content := _of(path))
            }
            if told:
                return told
        return {}

    def fits(self, root: Path) -> bool:
        return bool(self._found(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(path.stem for path in self._found(root))

    def read(self, root: Path, draft: Draft) -> None:
        places = Places(draft.root)
        found = self._found(root)
        draft.pixel_level = True
        for path, (content, folder) in found.items():
            good = _normal_class(content, path, draft)
            missing: list[str] = []
            for number, entry in enumerate(content[draft.split], 1):
                where = f"{draft.show(path)}, {draft.split}, entry {number}"
                image, mask, kind = _entry(entry, where)
                file = places.exact(f"{folder.relative_to(root)}/{image}", where)
                if file is None:
                    missing.append(image)
                    continue
                label = NORMAL if kind == good else ANOMALOUS
                marks = places.exact(f"{folder.relative_to(root)}/{mask}", where) if mask and label else None
                draft.add(file, marks, label, path.stem, kind if label else "")
            draft.problem_names(f"images of {draft.show(path)} that do not exist (not used)", missing)
        used = {next(iter(found)).parent, *(folder.parent for _, folder in found.values())}
        others = [
            one for one in folders(root) if one.name.casefold().startswith("realiad") and not _leads_to(one, used)
        ]
        draft.problem_files("folders that are not used", others)
        classes = {folder for _, folder in found.values()}
        beside = [one for base in {folder.parent for folder in classes} for one in folders(base)]
        rest = [one for one in beside if one not in classes and one not in used and child(one, "OK").is_dir()]
        draft.problem_files("classes without a JSON of their split (not used)", rest)


def _leads_to(folder: Path, used: set[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in used)


def _folder(root: Path, file: Path) -> Path | None:
    """The folder of the class that a file is called after; None where there is none."""
    bases = (root, *folders(root))
    return next((path for base in bases if (path := child(base, file.stem)).is_dir()), None)


def _of(path: Path) -> dict[str, Any] | None:
    """The content of a file of this form; None for any other."""
    try:
        content = read_json(path)
    except (ValueError, RecursionError, InputError):  # told where exports are looked for
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(split), list) for split in PHASES):
        return None
    return content if _told_class(content) is not None or _kinds(content) else None


def _told_class(content: dict[str, Any]) -> str | None:
    meta = content.get("meta")
    return str(meta["normal_class"]) if isinstance(meta, dict) and "normal_class" in meta else None


def _kinds(content: dict[str, Any]) -> list[str]:
    """The classes of the entries that are of this form, in order."""
    entries = [entry for split in PHASES for entry in content[split] if isinstance(entry, dict)]
    return sorted({str(entry["anomaly_class"]) for entry in entries if {"anomaly_class", "image_path"} <= entry.keys()})


def _normal_class(content: dict[str, Any], path: Path, draft: Draft) -> str:
    """The class of pictures without a defect: as the file says, else the only one that is a word for it, and told.

    Raises InputError where that is none, or several.
    """
    if (told := _told_class(content)) is not None:
        return told
    kinds = _kinds(content)
    normal = [kind for kind in kinds if label_of(kind) == NORMAL]
    if len(normal) != 1:
        shown = printable(", ".join(kinds[:8]))
        raise InputError(
            f"{draft.show(path)} does not say which of its classes is normal ({shown}); add it as "
            '"meta": {"normal_class": "OK"}'
        )
    draft.notes.append(f"{draft.show(path)} names no normal_class: {printable(normal[0])} is taken for it")
    return normal[0]


def _entry(entry: Any, where: str) -> tuple[str, str, str]:
    """(image, mask or "", class of the anomaly). Raises InputError."""
    texts = (
        [entry.get(key) or "" for key in ("image_path", "mask_path", "anomaly_class")]
        if isinstance(entry, dict)
        else []
    )
    if not texts or not all(isinstance(text, str) for text in texts) or not (texts[0] and texts[2]):
        raise InputError(f"{printable(where)}: expected the texts image_path and anomaly_class, and mask_path or null")
    return texts[0], texts[1], texts[2]
