"""`open_dataset`: from a path to a Dataset, whatever the layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.draft import Draft, MissingMasks
from anomalyclip.data.exports import Annotations, find_annotations
from anomalyclip.data.exports.coco import is_coco
from anomalyclip.data.exports.labelme import is_labelme
from anomalyclip.data.exports.merging import lend_masks, merge
from anomalyclip.data.exports.supervisely import is_project, is_supervisely
from anomalyclip.data.folder_names import PHASES
from anomalyclip.data.json_records import holds_records
from anomalyclip.data.known import KNOWN, Known, find_known, place, recognise
from anomalyclip.data.layouts import Layout
from anomalyclip.data.listings import ARRAYS, child, folders, listed_once, listing, pictures
from anomalyclip.data.lists import TABLES, find_list, of_another_split
from anomalyclip.data.meta_json import read_meta
from anomalyclip.data.own_layouts import PLAIN
from anomalyclip.data.several_pictures import several_of_each
from anomalyclip.data.table_items import read_table
from anomalyclip.data.text import read_json
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.headers import what_it_is
from anomalyclip.io.names import is_address, printable
from anomalyclip.io.scanning import Kind, PassedOver

META = "meta.json"
#: How deep a refusal looks for what could be read, and how many folders of a level.
_DEEPEST, _MOST_TRIED = 3, 50


def open_dataset(
    path: str | Path,
    *,
    name: str | None = None,
    split: str = "test",
    missing_masks: MissingMasks = "error",
    use_meta: bool = True,
) -> Dataset:
    """Read the labels of a data set; no image is decoded (except the label files of SDD as published).

    A folder is tried as: the authors' ``meta.json``, a known data set's published layout (see `KNOWN`), a list with the
    columns image and label, MVTec's layout and its relatives, a plain folder of ``good/`` and ``<defect>/``,
    ``images/`` with ``masks/``, masks beside their images; exports of labelling tools lend their
    masks to folders, or tell all. What lies there and is not used is named in the result's `problems`.

    Args:
        path: the folder, or a ``.json``, ``.xml`` or ``.csv`` file in it, whose paths must stay in its folder.
        name: the known data set that lies there ("MVTec AD", "visa"); needed only where the folder's own name does not
            tell. Other names become the result's `name`.
        split: "test" (which is also what prompts are learned on, METHOD section 6) or "train".
        missing_masks: anomalous images without a mask in a set with masks are an "error", or count "image-only".
        use_meta: False ignores a folder's ``meta.json``.

    Raises:
        InputError: nothing readable there (the message lists what was looked for), a list that is damaged or leads
            outside its folder, missing masks, an empty split.
        ConfigError: unknown `split` or `missing_masks`.
    """
    if split not in PHASES:
        raise ConfigError(f"split {split!r}: expected 'test' or 'train'")
    if missing_masks not in ("error", "image-only"):
        raise ConfigError(f"missing_masks {missing_masks!r}: expected 'error' or 'image-only'")
    path = Path(path).absolute()  # the items' paths outlive a change of folder
    try:
        with listed_once():
            return _open(path, name, split, missing_masks, use_meta)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {printable(path)}: {reason}; check the path and its permissions") from error


def _open(path: Path, name: str | None, split: str, missing_masks: MissingMasks, use_meta: bool) -> Dataset:
    if not path.exists():
        remedy = "addresses are not opened: download it, and give its folder" if is_address(path) else "check the path"
        raise InputError(f"there is no data set at {printable(path)}; {remedy}")
    if path.is_file():
        if path.suffix.lower() not in (".json", ".xml", ".txt", *TABLES):
            told = what_it_is(path) or "it is another file"
            raise InputError(
                f"{printable(path)}: {told}; expected the data set's folder, a meta.json, or a list such as a .csv"
            )
        return _from_file(path, name, split, missing_masks)
    meta = child(path, META)
    if use_meta and meta.is_file() and not _is_of_another_tool(meta):
        return _from_file(meta, name, split, missing_masks)
    known = _named(name) if name else recognise(path)
    found = place(known, path) if known else None
    if found is not None:
        return _from_layout(*found, known, name, split, missing_masks)
    lists = find_list(path, split)
    if lists.table is not None:
        draft = _draft(path, name, split)
        draft.problems += lists.unused
        read_table(lists.table.path, draft, table=lists.table)
        return draft.finish(_title(path, name), missing_masks)
    annotations, boxes = find_annotations(path, split)
    unused = [*lists.unused, *boxes]
    plain = next((layout for layout in PLAIN if layout.fits(path)), None)
    if lists.other is not None:
        if plain is None and annotations is None and split == "test":  # as Kaggle ships labels: train.csv, and no other
            draft = _draft(path, name, split)
            draft.problems += unused
            shown = draft.show(lists.other.path)
            draft.notes.append(f"{shown} is read as the test split, as nothing else tells labels")
            read_table(lists.other.path, draft, table=lists.other)
            return draft.finish(_title(path, name), missing_masks)
        unused.append(of_another_split(lists.other, path))
    if plain is not None:
        return _from_layout(plain, path, known, name, split, missing_masks, annotations, unused)
    if annotations is None:
        raise InputError(_not_found(path, known, unused))
    return _from_annotations(path, annotations, unused, name, split)


def _named(name: str) -> Known | None:
    try:
        return find_known(name)
    except InputError:
        return None  # a name of the user's own


def _title(root: Path, name: str | None) -> str:
    given = name or root.resolve().name
    known = _named(given)
    return known.name if known else given


def _draft(root: Path, name: str | None, split: str) -> Draft:
    return Draft(root, split, published=_named(name or root.resolve().name) is not None)


def _is_of_another_tool(meta: Path) -> bool:
    """Whether a meta.json is that of a labelling tool's project, which names classes and no images."""
    try:
        return is_project(read_json(meta))
    except (ValueError, RecursionError, InputError):  # told by its own reader
        return False


def _from_file(path: Path, name: str | None, split: str, missing_masks: MissingMasks) -> Dataset:
    root, suffix = path.parent, path.suffix.lower()
    if suffix == ".xml" or (suffix == ".json" and _is_export(path)):
        annotations, _ = find_annotations(root, split, only=path)
        if annotations is None:
            raise InputError(f"{printable(path)} is no list of images: expected meta.json, COCO, LabelMe or CVAT 1.1")
        return _from_annotations(root, annotations, (), name, split)
    draft = _draft(root, name, split)
    if suffix == ".json" and not holds_records(path):
        draft.notes.append(f"labels are read from {printable(path.name)}, the authors' form")
        read_meta(path, draft)
    else:
        read_table(path, draft)
    return draft.finish(_title(root, name), missing_masks)


def _is_export(path: Path) -> bool:
    try:
        content = read_json(path)
    except (ValueError, RecursionError):  # told as a damaged meta.json
        return False
    return any(fits(content) for fits in (is_coco, is_labelme, is_supervisely))


def _from_annotations(
    root: Path, annotations: Annotations, unused: Sequence[str], name: str | None, split: str
) -> Dataset:
    """Images and labels as the exports of labelling tools tell them."""
    draft = Draft(root, split)
    draft.problems += unused
    title = _title(root, name)
    merge(annotations, draft, title)
    return draft.finish(title, "image-only")


def _from_layout(
    layout: Layout,
    base: Path,
    known: Known | None,
    name: str | None,
    split: str,
    missing_masks: MissingMasks,
    annotations: Annotations | None = None,
    unused: Sequence[str] = (),
) -> Dataset:
    if split not in layout.splits:
        raise InputError(f"{printable(base)} has no {split} split in this layout: {layout.words}; use split 'test'")
    base = base.resolve() if base.name == ".." else base  # a class may be called after its folder
    draft = Draft(base, split)
    draft.pixel_level = known is not None and "pixel" in known.levels
    draft.published = known is not None
    draft.problems += unused
    draft.notes.append(f"read as {f'{known.name}: ' if known is not None else ''}{layout.words}")
    layout.read(base, draft)
    if annotations is not None:
        lend_masks(annotations, draft)
    return draft.finish(known.name if known else name or base.name, missing_masks)


def _not_found(root: Path, known: Known | None, unused: Sequence[str]) -> str:
    looked = [layout.words for layout in (known.layouts if known else PLAIN)]
    what = f"{known.name} in {printable(root)}" if known else f"a data set in {printable(root)}"
    own = () if known else ("a CSV with the columns image and label", "an export of COCO, LabelMe, CVAT or Supervisely")
    lines = "; or ".join(["meta.json", *looked, *own])
    other = "" if known else f". Published layouts are known of {', '.join(KNOWN)} (anomalyclip data info NAME)"
    there = _what_is_there(root, unused)
    return f"cannot find {what}. {there} Looked for: {lines}{other}. Give the folder that holds these"


def _what_is_there(root: Path, unused: Sequence[str]) -> str:
    """What a refusal found instead: pictures, subfolders, lists; a data set one level deeper."""
    inner = folders(root)
    level = inner
    for depth in range(1, _DEEPEST + 1):
        deeper = [folder.relative_to(root).as_posix() for folder in level[:_MOST_TRIED] if _is_readable(folder)]
        if deeper:
            place = "a level" if depth == 1 else f"{depth} levels"
            return f"One lies {place} deeper: {printable(', '.join(deeper[:3]))}."
        level = [below for folder in level[:_MOST_TRIED] for below in folders(folder)]
    own = len(pictures(root))
    held = [f"{folder.name}/ ({count})" for folder in inner[:50] if (count := len(pictures(folder)))]
    told = [f"{own} image{'s' * (own != 1)} without a folder"] if own else []
    told += [f"images in {printable(', '.join(held[:5]))}"] if held else []
    told += [f"{len(inner)} subfolders without images"] if inner and not held else []
    for folder in inner[:_MOST_TRIED]:
        arrays = [] if pictures(folder) else listing(folder).files(ARRAYS)
        if arrays:
            name, first = printable(folder.name), printable(arrays[0].name)
            told.append(f"{name}/ with {len(arrays)} files such as {first}, which are no pictures: save masks as PNG")
    told += list(_archives(root))
    found = f"Found there: {'; '.join(told)}." if told else "Found there: no image."
    several = several_of_each(root, printable(root.name))
    return " ".join([found, *([several] if several else []), *(f"{line}." for line in unused)])


def _is_readable(folder: Path) -> bool:
    """Whether a folder is a data set by its layout, or by a list in it; also one whose refusal says more."""
    try:
        return any(layout.fits(folder) for layout in PLAIN) or find_list(folder, "test").table is not None
    except InputError:
        return True


def _archives(root: Path) -> Iterator[str]:
    passed = PassedOver()
    for entry in listing(root).entries:
        if entry.kind is Kind.ARCHIVE:
            passed.add(entry)
    return passed.lines()
