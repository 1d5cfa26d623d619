"""`report.html`: one self-contained page, written in a stream from `results.jsonl` and `cards.jsonl`."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows, row_at
from anomalyclip.detect.report_card import Card, text
from anomalyclip.detect.report_parts import pages
from anomalyclip.detect.summary import Summary
from anomalyclip.detect.writers import MAX_CARDS, card_key
from anomalyclip.io.atomic import atomic_write
from anomalyclip.io.scanning import PassedOver

MOST_SCORES = 100_000
"""Scores that the page counts with when its threshold is moved; beyond, it counts in the histogram's steps."""


def write_report(path: Path, key_of: Callable[[Row], bytes | None], *, max_cards: int = MAX_CARDS) -> Path:
    """Build `report.html` in an output folder from everything it holds; returns its path.

    key_of: the key of a row, see `OutputFolder.key_of`. At most `max_cards` images, the highest scores, are shown as
    cards; counts, histogram and failures cover all rows. File names are untrusted: everything is escaped, and the
    page's policy forbids loading anything. Raises OutputError.
    """
    summary = Summary(keep=max_cards)
    first: Row | None = None
    scores = array("f")
    for offset, row in read_rows(path / folder.RESULTS):
        first = first or row
        summary.add(row, offset)
        if row["score"] is not None and len(scores) < MOST_SCORES:
            scores.append(row["score"])
    target = path / folder.REPORT
    with atomic_write(target) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as page:
        top = summary.top()
        cards = _cards(path, top, key_of)
        page.writelines(pages(summary, first, _rows(path, top), cards, _passed_over(path), scores))
    return target


def _passed_over(path: Path) -> str:
    """What the input folders hold and was no input, from run.json."""
    try:
        told = json.loads((path / folder.RUN).read_bytes()).get(folder.PASSED)
        lines = list(PassedOver.recorded(told).lines())
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):  # there is none, or it is not ours
        return ""
    return "".join(f'<p class="passed">{text(line)}</p>\n' for line in lines)


def _rows(path: Path, offsets: list[int]) -> Iterator[Row]:
    with (path / folder.RESULTS).open("rb") as results:
        for offset in offsets:
            yield row_at(results, offset)


def _cards(path: Path, offsets: list[int], key_of: Callable[[Row], bytes | None]) -> Iterator[Card]:
    """The chosen rows with their thumbnails, looked up on disk one at a time."""
    if not offsets:
        return
    with (path / folder.RESULTS).open("rb") as results:
        keys = [key_of(row_at(results, offset)) for offset in offsets]
        wanted = set(keys)
        places = {
            key: place for place, card in read_rows(path / folder.CARDS) if (key := card_key(card)) and key in wanted
        }
        with (path / folder.CARDS).open("rb") as cards:
            for offset, key in zip(offsets, keys, strict=True):
                card = row_at(cards, places[key]) if key in places else {}
                image, heat, pairs = card.get("image"), card.get("heat"), card.get("pairs") or ()
                yield Card(row_at(results, offset), image, heat, _overlay_link(path, card), pairs)


def _overlay_link(path: Path, card: Mapping[str, Any]) -> str | None:
    relative = f"{folder.OVERLAYS}/{card.get('name')}.png"
    return quote(os.fsencode(relative)) if card and (path / relative).is_file() else None
