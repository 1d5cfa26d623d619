"""A CSV that lists images with labels becomes items of a data set. Untrusted: no path leaves the root."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anomalyclip.data.columns import is_empty
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import split_of
from anomalyclip.data.inferred import with_inferred_columns
from anomalyclip.data.lent_masks import lend_by_name
from anomalyclip.data.listings import pictures
from anomalyclip.data.masks import Mask, MaskFiles
from anomalyclip.data.places import Places
from anomalyclip.data.repeated import Found, Merged, once_each
from anomalyclip.data.row_labels import SIGNED, is_signed, labels_of_rows
from anomalyclip.data.run_cells import FORM, marks_nothing, mask_of, without_class
from anomalyclip.data.second_opinions import is_opinion, tell_contradictions
from anomalyclip.data.tables import ROLES, Table, labelling, open_table
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

#: What the images of a split are found in, the first that is there.
_SPLITS = {"test": ("test", "val"), "train": ("train",)}
_NEEDED = "expected the columns image, label and optionally mask, class, kind, split, each once"


@dataclass
class _Listed:
    """What the rows of the list `source` name. class_name: of rows that tell none. missing, lost: images and masks that
    are not there. nameless: empty ones. apart: rows of splits that are for neither training nor tests, by name. left:
    images of other splits by their folders."""

    draft: Draft
    places: Places
    source: Path
    class_name: str
    used: list[Found] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    nameless: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    left: set[Path] = field(default_factory=set)

    def take(self, row: dict[str, str], where: str, label: int | None, kind: str) -> None:
        """One row. where: file and line, for people; label: None where its mask or runs tell. Raises InputError."""
        mask_text, runs = row.get("mask", ""), row.get("runs", "")
        self.draft.pixel_level |= not is_empty(mask_text) or not marks_nothing(runs)
        split = row.get("split", "")
        if _other_split(split, self.draft.split):
            if all(_other_split(split, known) for known in ("train", "test")):
                self.apart[split] += 1
            return
        if is_empty(row["image"]):
            self.nameless += 1
            return
        name, its_class = without_class(row["image"]) if "runs" in row else (row["image"], row.get("kind", ""))
        its_class = its_class or row.get("kind", row.get("classid", "") if "runs" in row else "")
        image = self.places.find(name, where)
        mask: Mask | None = None if is_empty(mask_text) else _mask_of(mask_text, self.places, where)
        if image is None:
            self.missing.append(name)
            return
        if mask is None and not marks_nothing(runs):
            mask = mask_of(runs, image, self.source, where)
        if mask is None and not is_empty(mask_text):
            self.lost.append(mask_text)
        if label is None:
            label = NORMAL if mask is None else self.draft.labels_of([mask])[0]  # of runs: anomalous
            mask = mask if label == ANOMALOUS else None
        kind = kind or ("" if is_empty(its_class) else its_class)
        self.used.append(Found(image, mask, label, row.get("class") or self.class_name, kind if label else ""))

    def leave_other_splits(self) -> None:
        """Where images of this split lie in a folder called after it, those in folders of others are not its."""
        split_of_image = {one.image: self._split_of(one.image) for one in self.used}
        there = set(split_of_image.values())
        wanted = next((name for name in _SPLITS[self.draft.split] if name in there), None)
        if wanted is None or len(there - {""}) < 2:
            return
        apart = [image for image, split in split_of_image.items() if split not in ("", wanted)]
        self.left = set(apart)
        self.used = [one for one in self.used if one.image not in self.left]
        shown = f"{len(apart)} images that {self.source.name} lists in folders of other splits"
        self.draft.notes.append(f"{shown} are not used, such as {self.draft.show(apart[0])}")

    def _split_of(self, image: Path) -> str:
        parts = image.relative_to(self.draft.root).parts[:-1] if image.is_relative_to(self.draft.root) else ()
        return next((split for part in parts if (split := split_of(part))), "")


def read_table(path: Path, draft: Draft, class_name: str | None = None, table: Table | None = None) -> None:
    """A CSV that lists images with labels, and perhaps masks, classes, kinds and splits; paths relative to the root.

    Without a column of labels, one of runs, kinds or masks tells: what has none, or whose mask is black, is normal. A
    list of runs that names marked images alone makes the others of their folders normal ones.
    """
    if table is None:
        below = Places(draft.root)
        table = with_inferred_columns(open_table(path, below), below)
    by = labelling(table.names)
    if "image" not in table.names or by is None or len(set(table.names)) < len(table.names):
        found = printable(", ".join(table.names)) or "none"
        raise InputError(f"{printable(path)}, line 1: {_NEEDED}; found {found}")
    rows = list(table.rows(_is_used))  # of columns that nobody reads not even the text is held
    labels = labels_of_rows(table.shown, rows, by)
    if by == "label" and is_signed([row[by] for _, row in rows]):
        draft.problems.append(f"{printable(path.name)}: {SIGNED}")
    places = Places(draft.root, path.parent if path.parent.is_relative_to(draft.root) else None)
    listed = _Listed(draft, places, path, class_name or draft.root.name)
    for (line, row), (label, kind) in zip(rows, labels, strict=True):
        listed.take(row, f"{table.shown} {line}", label, kind)
    if "split" not in table.names and not draft.published:
        listed.leave_other_splits()
    images = {one.image for one in listed.used}
    if by == "runs":  # an empty cell says "not of this class" where the same image has marks in another row
        marked = {one.image for one in listed.used if one.label}
        listed.used = [one for one in listed.used if one.label or one.image not in marked]
    merged = [Merged(*one) for one in listed.used] if draft.published else once_each(listed.used, draft, path.name)
    for one in merged:
        draft.add(*one)
    _tell(draft, table, by, listed, len(rows))
    if not draft.published:
        tell_contradictions(draft, table, by, rows, [label for label, _ in labels])
    if by == "runs" and images and all(one.label for one in listed.used) and not draft.published:
        folders = {image.parent for image in images}
        others = [p for p in places.images() if p not in images | listed.left and p.parent in folders]
        for image in others:
            draft.add(image, None, NORMAL, class_name or draft.root.name)
        if others:
            draft.notes.append(
                f"{len(others)} images that {path.name} does not list count as normal: it lists marks only"
            )
        images |= set(others)
    if images and not draft.published and not {"mask", "runs"} & set(table.names):
        lend_by_name(draft, places, path)
    if not draft.published and "split" not in table.names and images:
        base, masks = path.parent if pictures(path.parent) else draft.root, draft.masks()
        beside = [image for image in places.images() if image.is_relative_to(base)]
        unlisted = [image for image in beside if image not in images | listed.left and image not in masks]
        draft.problem_files(f"images that {path.name} does not list (not used)", unlisted)
    # Rows of one class may be scattered over the file.
    order = {name: rank for rank, name in enumerate(dict.fromkeys(item.class_name for item in draft.items))}
    draft.items.sort(key=lambda item: order[item.class_name])


def _is_used(name: str) -> bool:
    return name in ROLES or name == "classid" or is_opinion(name)


def _mask_of(text: str, places: Places, where: str) -> Path | MaskFiles | None:
    """The file, or the files with bars or semicolons between them, that a cell names; None unless all are there."""
    parts = [part.strip() for part in re.split(r"[;|]", text) if part.strip()]
    if len(parts) < 2 or places.exact(text, where) is not None:
        return places.find(text, where, mask=True) or places.find(text, where)
    files = [places.find(part, where, mask=True) or places.find(part, where) for part in parts]
    known = tuple(file for file in files if file is not None)
    return MaskFiles(known) if len(known) == len(files) else None


def _tell(draft: Draft, table: Table, by: str, listed: _Listed, rows: int) -> None:
    draft.problem_names("listed masks that do not exist", listed.lost)
    if listed.apart:
        most = ", ".join(f"{printable(name)} ({number})" for name, number in listed.apart.most_common(3))
        draft.notes.append(f"rows of splits other than train and test are not used: {most}")
    if listed.nameless:
        draft.problems.append(f"{listed.nameless} rows of {printable(table.path.name)} name no image (not used)")
    if listed.missing and len(listed.missing) == rows:
        there = Places(draft.root).images()
        held = f"; the folder holds {len(there)} images{_such_as(draft, there)}"
        raise InputError(
            f"{printable(table.path)}: none of the {rows} listed images exists, such as "
            f"{printable(listed.missing[0])}{held}. Correct the paths, relative to {printable(draft.root)}"
            f"{_perhaps_encoded(table)}"
        )
    several = {name: found for name in listed.missing if len(found := listed.places.alike(name)) > 1}
    if several:
        name, found = next(iter(several.items()))
        shown = " and ".join(draft.show(path) for path in found[:2])
        draft.problem_names(
            f"listed images that several files could be, as {printable(name)} could be {shown} (not used; write their "
            "paths)",
            list(several),
        )
    missing = [name for name in listed.missing if name not in several]
    draft.problem_names("listed images that do not exist (not used)", missing)
    if not draft.published:
        used = [cell for cell, name in zip(table.header or table.names, table.names, strict=True) if name in ROLES]
        header = f"columns {printable(', '.join(used))}" + ("" if table.header else "; no header")
        draft.notes.append(
            f"labels are read from {draft.show(table.path)} ({table.form}; {header})"
            + ("; masks tell the labels" if by == "mask" else "")
            + (f"; {FORM}" if "runs" in table.names else "")
        )


def _perhaps_encoded(table: Table) -> str:
    if table.text.isascii() or table.form.startswith("UTF"):
        return ""
    return f"; the list was read as {table.form.partition(',')[0]}: save it as UTF-8 if that is wrong"


def _such_as(draft: Draft, images: Sequence[Path]) -> str:
    return f", such as {draft.show(images[0])}" if images else ""


def _other_split(text: str, split: str) -> bool:
    return not is_empty(text) and not text.casefold().startswith(split)  # test, Testing, train, training
