"""What the columns of a list hold, where their names do not tell: files, masks, labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from anomalyclip.data.columns import column_of, is_answer, is_of_a_model, label_of, plain
from anomalyclip.data.dataset import NORMAL
from anomalyclip.data.places import Places
from anomalyclip.data.row_labels import is_signed
from anomalyclip.data.tables import ROLES, Table, is_list, labelling
from anomalyclip.errors import InputError

#: Columns of boxes may happen to hold zeros and ones only, and are no labels.
_BOX_WORDS = """
    x y w h x0 y0 x1 y1 x2 y2 xmin ymin xmax ymax xtl ytl xbr ybr width height left top right bottom area
    iscrowd occluded truncated difficult
"""
BOXES = frozenset(_BOX_WORDS.split())
#: Columns of classes that may have a word for good among them.
_DIAGNOSES = frozenset(("dx", "diagnosis", "disease", "condition"))
_SENSELESS = re.compile(r"(unnamed|column|col|spalte|colonne|field|feld|var|[a-z])?\d*")
_CORNERS = 4  # columns that a box has
_LOOKED_AT = 200  # rows


def with_inferred_columns(table: Table, places: Places) -> Table:
    """The same table with columns named by what they hold, where their names do not tell: files, labels.

    A first row that names a file is no header. Nothing is inferred where two columns would do.
    """
    if any(
        places.holds(cell) and (Path(cell).suffix or _heads_files(table, n, places))
        for n, cell in enumerate(table.header)
    ):
        table = replace(table, header=(), names=tuple(f"column {n}" for n in range(1, len(table.header) + 1)))
    table = _with_image_column(table, places)
    if is_list(table.names):
        return table
    names = list(table.names)
    rows = [row for _, row in zip(range(_LOOKED_AT), _rows_or_none(table), strict=False)]
    free = [name for name in names if name not in ROLES and not is_of_a_model(name)]
    if "image" not in names:
        files = [name for name in free if rows and all(places.holds(row[name]) for row in rows)]
        if len(files) > 1:  # labels 0 and 1 beside 0.png and 1.png
            files = [name for name in files if all(Path(row[name].strip()).suffix for row in rows)]
        if len(files) == 1:
            names[names.index(files[0])] = "image"
        elif files == names == ["column 1", "column 2"] and _are_pairs(rows, places):
            names = ["image", "mask"]
    boxes = {name for name in free if plain(name) in BOXES}
    if labelling(names) is None:
        labels = [
            name
            for name in (*free, *(["class"] if "class" in names else []))
            if name in names and (len(boxes) < _CORNERS or name not in boxes)
            if rows and _are_labels([row[name] for row in rows], asked=_asks(table, name))
        ]
        labels = labels or [name for name in free if plain(name) in _DIAGNOSES and _name_the_good(rows, name)][:1]
        if len(labels) == 1:
            names[names.index(labels[0])] = "label"
    return replace(table, names=tuple(names))


def _heads_files(table: Table, column: int, places: Places) -> bool:
    """Whether a first cell that is a picture's stem, and may well be the name of a column, stands above files alone."""
    below = [list(row.values())[column] for _, row in zip(range(_LOOKED_AT), _rows_or_none(table), strict=False)]
    return table.names[column] not in ROLES and bool(below) and all(places.holds(cell) for cell in below)


def _with_image_column(table: Table, places: Places) -> Table:
    """Of several columns that may name the image (id, filename), the one whose cells name most files."""
    options = [number for number, cell in enumerate(table.header) if column_of(cell) == "image"]
    if len(options) < 2 or table.names.count("image") != 1 or len(set(table.names)) < len(table.names):
        return table
    rows = [list(row.values()) for _, row in zip(range(_LOOKED_AT), _rows_or_none(table), strict=False)]

    def found(number: int) -> tuple[int, int]:
        files = [row[number] for row in rows if places.holds(row[number])]
        return sum(bool(Path(cell).suffix) for cell in files), len(files)

    kept = table.names.index("image")
    best = max((kept, *options), key=found)
    if found(best) == found(kept):
        return table
    names = list(table.names)
    names[kept], names[best] = f"({table.header[kept].strip().casefold()})", "image"
    return replace(table, names=tuple(names))


def _asks(table: Table, name: str) -> bool:
    """Whether a column has a name of its own, which we do not know; "class", "x2" and "Column 2" ask nothing."""
    return bool(table.header) and name != "class" and _SENSELESS.fullmatch(plain(name)) is None


def _are_labels(cells: Sequence[str], asked: bool) -> bool:
    """Whether cells say of images what they are. asked: the column has a name of its own, so that 1 or yes answers a
    question that we do not know ("cropped", "sharp", "Follow-up"), and words alone are labels."""
    if asked and all(is_answer(cell) for cell in cells):
        return False
    return all(label_of(cell) is not None for cell in cells) or is_signed(cells)


def _name_the_good(rows: Sequence[dict[str, str]], name: str) -> bool:
    """Whether a column holds words alone, one of them for good pictures."""
    words = [row[name] for row in rows]
    return NORMAL in map(label_of, words) and not any(map(is_answer, words))


def _are_pairs(rows: Sequence[dict[str, str]], places: Places) -> bool:
    """Whether each row is a picture and its mask, as sets of segmentation list them (`0.jpg 0.png`)."""
    from anomalyclip.data.like_masks import are_masks

    pictures, marks = ([places.find(row[name], "") for row in rows] for name in ("column 1", "column 2"))
    return are_masks([path for path in pictures if path is not None], [path for path in marks if path is not None])


def _rows_or_none(table: Table) -> Iterator[dict[str, str]]:
    try:
        yield from (row for _, row in table.rows())
    except InputError:  # told when the table is read
        return
