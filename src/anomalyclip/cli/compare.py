"""`anomalyclip compare`: runs side by side; :mod:`anomalyclip.comparison` computes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given, verb
from anomalyclip.cli._table import shortened
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.comparison import Comparison
    from anomalyclip.comparison.tables import Cell

_NAME = 17
"""Columns of a name: those of a mean with its interval."""


@verb("compare")
def app(given: Given) -> None:
    """Compare finished runs: metrics with 95% intervals, paired differences, sets won, ranks, images that differ.

    Runs of one model with the same settings on different data count as one method.
    """
    from anomalyclip.comparison import compare, read_methods
    from anomalyclip.comparison.tables import RENDERERS

    if given.output is not None and given.output.exists() and not given.output.is_dir():
        raise ConfigError(f"--output {printable(given.output)}: a file of that name exists; name a folder")
    labels = None
    if given.data is not None:
        from anomalyclip.data import open_dataset

        labels = open_dataset(given.data)
    methods = read_methods(list(given.runs), labels)
    found = compare(methods, resamples=given.resamples, seed=given.seed, images=given.images)
    if given.output is not None:
        _write(given.output, found, given.images)
    if given.format in RENDERERS:
        click.echo(RENDERERS[given.format](found), nl=False)
    elif not given.quiet:
        _show(found)
    if given.output is not None and not given.quiet:
        note(f"Comparison: {printable(given.output / 'comparison.md')}")


def _write(folder: Path, found: Comparison, images: int) -> None:
    from anomalyclip.comparison.pictures import PICTURES, write_pictures
    from anomalyclip.comparison.tables import FILES, RENDERERS
    from anomalyclip.io.atomic import output_error, write_bytes

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    written, problems = write_pictures(folder, found, images)
    for problem in problems:
        note(printable(problem), style="yellow")
    links = "".join(f"\n![{path.stem}]({PICTURES}/{path.name})\n" for path in written)
    for fmt, name in FILES.items():
        text = RENDERERS[fmt](found) + (links if fmt == "markdown" else "")
        write_bytes(folder / name, text.encode("utf-8", "backslashreplace"))


def _show(found: Comparison) -> None:
    from rich.console import Console

    from anomalyclip.comparison.tables import difference_rows, footnotes, mean_rows, wins_rows

    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    names = [shortened(one.name, _NAME) for one in found.methods]
    for name, one in zip(names, found.methods, strict=True):
        console.print(f"{name}: {printable(one.told)}", soft_wrap=True)
    console.print()
    console.print(_table(["mean", *names], mean_rows(found)))
    if rows := difference_rows(found):
        console.print()
        console.print(_table([f"to {names[0]}", "metric", "points"], _once(rows)))
    console.print()
    console.print(_table(["sets won (mean rank)", *names], wins_rows(found)))
    for line in footnotes(found):
        note(line)


def _once(rows: Sequence[Sequence[str]]) -> list[list[Cell]]:
    """Rows that name a method where it begins, and not again."""
    before = ["", *(row[0] for row in rows)]
    return [
        [("" if name == last else shortened(name, _NAME), False), *((cell, False) for cell in rest)]
        for (name, *rest), last in zip(rows, before, strict=False)
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, cell in enumerate(head):
        table.add_column(cell, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style="bold" if best else "") for text, best in row))
    return table
