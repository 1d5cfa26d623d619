"""What `anomalyclip evaluate` prints: the table of classes, and that of lines from few good pictures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.evaluation import Evaluation


def show_evaluation(result: Evaluation) -> None:
    """On stdout; 140 columns where that is no terminal."""
    from anomalyclip.evaluation.few_shot import tables as few
    from anomalyclip.evaluation.tables import caption, table_rows

    _show(f"{caption(result)}; percent", table_rows(result), 1)
    if result.few_shot is not None:
        _show(few.caption(result.few_shot), few.table_rows(result.few_shot), 1 + len(result.few_shot.shots))


def few_shot_notes(result: Evaluation) -> list[str]:
    """Where references come from and which numbers are missing."""
    from anomalyclip.evaluation.few_shot.tables import footnotes

    return [] if result.few_shot is None else footnotes(result.few_shot)


def _show(caption: str, rows: list[list[str]], means: int) -> None:
    """A caption, a head, and rows of which the last `means` are means."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(caption, soft_wrap=True)
    head, *body = rows
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column, cell in enumerate(head):
        # Heads on two lines, so that 80 columns hold all metrics and leave room for the names of classes.
        justify: Any = "right" if column else "left"
        table.add_column(cell.replace(" ", "\n"), justify=justify, overflow="fold", min_width=5 if column else 12)
    for number, row in enumerate(body):
        mean = number >= len(body) - means
        if mean and number == len(body) - means and number:
            table.add_section()
        table.add_row(*(Text(cell, style="bold" if mean else "") for cell in row))
    console.print(table)
