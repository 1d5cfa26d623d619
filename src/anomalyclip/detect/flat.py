"""A row of `results.csv`: one value per cell, for spreadsheets and other tables.

What is the same in every row (model, prompts, settings) stands once, in run.json. Of the regions there are their number
and the strongest one; `results.jsonl` has all of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def _plain(key: str) -> Callable[[Row], Any]:
    return lambda row: row.get(key)


def _strongest(key: str, place: int | None = None) -> Callable[[Row], Any]:
    """Of the first region: they are sorted, the strongest first."""

    def find(row: Row) -> Any:
        regions = row.get("regions") or ()
        if not regions:
            return None
        return regions[0][key] if place is None else regions[0][key][place]

    return find


def _of_layout(key: str) -> Callable[[Row], Any]:
    return lambda row: (row.get("geometry") or {}).get(key)


#: column -> its value from a row of `results.jsonl`; None is an empty cell
FIELDS: dict[str, Callable[[Row], Any]] = {
    **{key: _plain(key) for key in ("path", "width", "height", "score", "p_value", "decision")},
    "regions": lambda row: None if row.get("score") is None else len(row.get("regions") or ()),
    "region_peak": _strongest("peak"),
    "region_area": _strongest("area"),
    "region_x": _strongest("box", 0),
    "region_y": _strongest("box", 1),
    "region_width": _strongest("box", 2),
    "region_height": _strongest("box", 3),
    "views": _of_layout("views"),
    "inside": _of_layout("inside"),
    "notes": lambda row: "; ".join(row.get("notes") or ()) or None,
    "error": _plain("error"),
    "frame": _plain("frame"),
}


def csv_header() -> bytes:
    """The names of FIELDS."""
    return _csv(list(FIELDS))


def csv_line(row: Row) -> bytes:
    """A row of `results.jsonl` as CSV (UTF-8, RFC 4180 quoting, `\\n`); null is empty.

    A text that a spreadsheet would run as a formula gets a leading apostrophe. Paths never need it: `formula_safe` put
    `./` in front of such names, so the column can be read back as it is.
    """
    return _csv([_cell(value(row)) for value in FIELDS.values()])


def _csv(cells: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)  # with which it quotes a lone \r in a file name, too
    return buffer.getvalue().removesuffix("\r\n").encode("utf-8", "backslashreplace") + b"\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA_START):
        return f"'{value}"
    return repr(value) if isinstance(value, float) else str(value)
