"""Tables of the docs that are drawn from the very list that a test goes through."""

from __future__ import annotations

from pathlib import Path


def page_with(page: Path, start: str, table: str, end: str) -> str:
    """The page's text with `table` between the marks `start` and `end`, whatever stands there now."""
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    return f"{before}{start}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
