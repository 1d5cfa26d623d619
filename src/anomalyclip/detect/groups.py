"""`groups.html` and `groups.json`: what is odd in a batch, a card for each kind with its count and examples."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows
from anomalyclip.detect.writers import card_key
from anomalyclip.io.atomic import atomic_write, write_bytes
from anomalyclip.io.names import printable

EXAMPLES = 6
_NOTE = re.compile(r"odd, (?:of group ([1-9][0-9]*)|like no other)")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def note_of(number: int) -> str:
    """What a row says of its group; 0 is alone.

    >>> note_of(2), note_of(0)
    ('odd, of group 2', 'odd, like no other')
    """
    return f"odd, of group {number}" if number else "odd, like no other"


def write_groups(path: Path, key_of: Callable[[Row], bytes | None], line: float) -> Path:
    """Write both files into an output folder from the notes of its rows; returns the page's path.

    key_of: the key of a row, see `OutputFolder.key_of`. line: the score from which pictures counted as odd. Examples
    are the highest scores, with the thumbnails that the report has of them. Raises OutputError.
    """
    members: dict[int, list[_Member]] = {}
    highest: float | None = None
    for _, row in read_rows(path / folder.RESULTS):
        if row["score"] is not None:
            highest = max(row["score"], highest or 0.0)
        number = _group_of(row)
        if number is not None and row["score"] is not None:
            members.setdefault(number, []).append(_Member(row["path"], row["score"], key_of(row)))
    ordered = {number: sorted(each, key=lambda one: -one.score) for number, each in sorted(members.items())}
    told = [
        {"group": number or None, "count": len(each), "pictures": [one.path for one in each]}
        for number, each in ordered.items()
    ]
    write_bytes(path / folder.GROUPS, json.dumps(told, indent=1, ensure_ascii=True).encode() + b"\n")
    shown = {one.key for each in ordered.values() for one in each[:EXAMPLES]}
    heats = {key: card.get("heat") for _, card in read_rows(path / folder.CARDS) if (key := card_key(card)) in shown}
    target = path / folder.GROUPS_PAGE
    with atomic_write(target) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as page:
        page.write(_head(ordered, bar_of(line, highest)))
        known = [number for number in ordered if number]
        for number in [*known, *([0] if 0 in ordered else [])]:
            page.write(_card(number, ordered[number], heats))
        page.write("</main>\n</body>\n</html>\n")
    return target


class _Member(NamedTuple):
    path: str
    score: float
    key: bytes | None


def _group_of(row: Row) -> int | None:
    """From its notes; None is not odd."""
    for note in row.get("notes") or ():
        if found := _NOTE.fullmatch(note):
            return int(found[1] or 0)
    return None


def bar_of(line: float, highest: float | None) -> str:
    """From which score on a picture is odd, and what moves that line; highest: the batch's highest score.

    >>> bar_of(0.5, 0.31)
    'Odd is what scores 0.5 or more in this batch; the highest score is 0.31. --threshold 0.3 lowers the bar.'
    """
    told = f"Odd is what scores {line:.3g} or more in this batch"
    if highest is not None and highest < line:
        lower = math.floor(10 * highest) / 10 or round(highest, 3)
        return f"{told}; the highest score is {highest:.2g}. --threshold {lower:g} lowers the bar."
    return f"{told}; --threshold sets another bar."


def _head(ordered: Mapping[int, list[Any]], bar: str) -> str:
    kinds, odd = sum(1 for number in ordered if number), sum(len(each) for each in ordered.values())
    title = f"{odd:,} odd picture{'s' * (odd != 1)} in {kinds:,} group{'s' * (kinds != 1)}"
    style = files("anomalyclip.detect").joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>
{style}
.examples {{ display: flex; flex-wrap: wrap; gap: 8px; }}
.examples figure {{ margin: 0; width: 200px; overflow-wrap: anywhere; }}
.examples img {{ width: 100%; }}
</style>
</head>
<body>
<header><h1>{title}</h1>
<p>Grouped by what their hottest patches look like. A group is a guess at a kind of fault, not a diagnosis.</p>
<p>{bar}</p></header>
<main>
"""


def _card(number: int, members: list[_Member], heats: Mapping[bytes | None, Any]) -> str:
    name = f"Group {number}" if number else "Alone"
    count = f"{len(members):,} picture{'s' * (len(members) != 1)}"
    figures = []
    for one in members[:EXAMPLES]:
        heat = heats.get(one.key)
        image = f'<img alt="" src="{escape(heat, quote=True)}">' if isinstance(heat, str) else ""
        path = escape(printable(one.path), quote=True)
        figures.append(f"<figure>{image}<figcaption>{path} ({one.score:.3f})</figcaption></figure>\n")
    return f'<section><h2>{name}: {count}</h2>\n<div class="examples">\n{"".join(figures)}</div></section>\n'
