"""`open_dataset`: from a path to a Dataset, whatever the layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.draft import Draft, MissingMasks
from anomalyclip.data.known import KNOWN, Known, find_known, place, recognise
from anomalyclip.data.layouts import PHASES, PLAIN, Layout
from anomalyclip.data.pairing import child, entries
from anomalyclip.data.tables import columns_of, read_meta, read_table
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable

META = "meta.json"


def open_dataset(
    path: str | Path,
    *,
    name: str | None = None,
    split: str = "test",
    missing_masks: MissingMasks = "error",
    use_meta: bool = True,
) -> Dataset:
    """Read the labels of a data set; no image is decoded (except the label files of SDD as published).

    A folder is tried as: the authors' ``meta.json``, a known data set's published layout (see `KNOWN`), a CSV with the
    columns image and label, MVTec's layout, a plain folder of ``good/`` and ``<defect>/``, ``images/`` with ``masks/``.

    Args:
        path: the folder, or a ``.json`` or ``.csv`` file in it; paths in such files must stay in the file's folder.
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
        return _open(path, name, split, missing_masks, use_meta)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {printable(path)}: {reason}; check the path and its permissions") from error


def _open(path: Path, name: str | None, split: str, missing_masks: MissingMasks, use_meta: bool) -> Dataset:
    if not path.exists():
        raise InputError(f"there is no data set at {printable(path)}; check the path")
    if path.is_file():
        if path.suffix.lower() not in (".json", ".csv"):
            raise InputError(f"{printable(path)}: expected a folder, a meta.json or a .csv; give the data set's folder")
        return _from_list(path, name, split, missing_masks)
    meta = child(path, META)
    if use_meta and meta.is_file():
        return _from_list(meta, name, split, missing_masks)
    known = _named(name) if name else recognise(path)
    found = place(known, path) if known else None
    if found is None:
        if listed := _own_csv(path):
            return _from_list(listed, name, split, missing_masks)
        found = next(((layout, path) for layout in PLAIN if layout.fits(path)), None)
    if found is None:
        raise InputError(_not_found(path, known))
    return _from_layout(*found, known, name, split, missing_masks)


def _named(name: str) -> Known | None:
    try:
        return find_known(name)
    except InputError:
        return None  # a name of the user's own


def _from_list(path: Path, name: str | None, split: str, missing_masks: MissingMasks) -> Dataset:
    draft = Draft(path.parent, split)
    if path.suffix.lower() == ".json":
        read_meta(path, draft)
    else:
        read_table(path, draft)
    known = _named(name or path.parent.resolve().name)
    draft.items = [replace(item, published=known is not None) for item in draft.items]
    return draft.finish(known.name if known else name or path.parent.resolve().name, missing_masks)


def _own_csv(root: Path) -> Path | None:
    """The one CSV at the top of a folder that lists images and labels."""
    tables = [p for p in entries(root) if p.suffix.lower() == ".csv" and {"image", "label"} <= set(columns_of(p))]
    if len(tables) > 1:
        names = ", ".join(printable(table.name) for table in tables)
        raise InputError(f"{printable(root)} holds several lists of images ({names}); give the path of one of them")
    return tables[0] if tables else None


def _from_layout(
    layout: Layout, base: Path, known: Known | None, name: str | None, split: str, missing_masks: MissingMasks
) -> Dataset:
    if split not in layout.splits:
        raise InputError(f"{printable(base)} has no {split} split in this layout: {layout.words}; use split 'test'")
    base = base.resolve() if base.name == ".." else base  # a class may be called after its folder
    draft = Draft(base, split)
    draft.pixel_level = known is not None and "pixel" in known.levels
    draft.published = known is not None
    layout.read(base, draft)
    return draft.finish(known.name if known else name or base.name, missing_masks)


def _not_found(root: Path, known: Known | None) -> str:
    looked = [layout.words for layout in (known.layouts if known else PLAIN)]
    what = f"{known.name} in {printable(root)}" if known else f"a data set in {printable(root)}"
    lines = "; or ".join(["meta.json", *looked, *(() if known else ("a CSV with the columns image and label",))])
    other = "" if known else f". Published layouts are known of {', '.join(KNOWN)} (anomalyclip data info NAME)"
    return f"cannot find {what}. Looked for: {lines}{other}. Give the folder that holds these"
