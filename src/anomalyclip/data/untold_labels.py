"""A list of images whose columns tell classes and no label: what people are told to write into it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from anomalyclip.data.columns import is_empty, plain
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.data.tables import Table

_WORDS = "dx diagnosis disease condition category type class species severity grade level class_name cls"
_CLASSES = tuple(map(plain, _WORDS.split()))
_LOOKED_AT = 200  # rows
_SHOWN = 4
_ADD = 'add a column "label" with 0 for good images and 1 for the others'


def remedy(table: Table, boxes: frozenset[str]) -> str:
    """What makes labels of columns of classes: one-hot ones (ISIC 2018's MEL, NV ...), or one that names them (dx).

    boxes: names of columns that are never such. "" where no column tells classes.
    """
    try:
        rows = [row for _, row in islice(table.rows(), _LOOKED_AT)]
    except InputError:  # told elsewhere
        return ""
    cells = {name: [row[name] for row in rows] for name in table.names if plain(name) not in boxes}
    shown = dict(zip(table.names, table.header or table.names, strict=True))
    flags = [name for name, values in cells.items() if rows and _are_flags(values)]
    if len(flags) > 1:
        columns = _some([shown[name] for name in flags])
        if all(sum(float(row[name]) for name in flags) == 1 for row in rows):
            return f'; one of {columns} is 1 for each image: call the column of the good ones "normal", or {_ADD}'
        return f"; {columns} hold 0 and 1: {_ADD}"
    named = next((name for word in _CLASSES for name in cells if plain(name) == word), None)
    if named is None:
        return ""
    values = list(dict.fromkeys(cell for cell in cells[named] if not is_empty(cell)))
    return f"; its column {printable(shown[named])} names classes ({_some(values)}): {_ADD}" if values else ""


def _are_flags(values: Sequence[str]) -> bool:
    try:
        return {float(value) for value in values} <= {0.0, 1.0}
    except ValueError:
        return False


def _some(names: Sequence[str]) -> str:
    return printable(", ".join(names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
