"""One run of `anomalyclip reproduce`: progress on stderr, the tables on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from anomalyclip.cli._console import HiddenBar, note, progress_bar
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from anomalyclip.reproduction import Report, ReproduceConfig, Watcher

DONE, SOME_FAILED, INTERRUPTED = 0, 3, 130


def run(config: ReproduceConfig, fmt: str, *, quiet: bool) -> int:
    """The exit code: 3 if images were left out or cells could not be run."""
    import cv2

    from anomalyclip.reproduction import reproduce

    cv2.setNumThreads(1)  # the worker threads are the parallelism; OpenCV's own pool would only fight them
    try:
        with progress_bar(shown=not quiet) as bar:
            reports = reproduce(config, make_watcher(bar, quiet=quiet))
    except KeyboardInterrupt:
        note("Interrupted. What is done is kept: the same command goes on from there.", style="yellow")
        return INTERRUPTED
    _print(reports, fmt)
    if not quiet:
        note(f"Results: {printable(config.output)}")
    return SOME_FAILED if any(report.left_out or report.skipped for report in reports) else DONE


def run_few_shot(config: ReproduceConfig, fmt: str, *, quiet: bool) -> int:
    """The table of few good pictures: the exit code."""
    import cv2

    from anomalyclip.reproduction import few_shot

    cv2.setNumThreads(1)
    try:
        lines = few_shot.reproduce_few_shot(
            config, (lambda line: None) if quiet else lambda line: note(printable(line))
        )
    except KeyboardInterrupt:
        note("Interrupted. What is done is kept: the same command goes on from there.", style="yellow")
        return INTERRUPTED
    if fmt == "table":
        _show_rows("Few good pictures", list(few_shot.HEADS), [one.cells() for one in lines], range(4, 7))
    else:
        shown = {"markdown": few_shot.as_markdown, "latex": few_shot.as_latex, "json": few_shot.as_json}
        click.echo(shown[fmt](lines), nl=False)
    if not quiet:
        note(f"Results: {printable(config.output)}")
    return DONE


def make_watcher(bar: Progress | HiddenBar, *, quiet: bool) -> Watcher:
    """A bar with the remaining time on a terminal, and a line per finished cell everywhere."""
    from anomalyclip.reproduction import Watcher

    class Terminal(Watcher):
        def __init__(self) -> None:
            self._task = bar.add_task("reproduce", total=None)
            self._start, self._images, self._total, self._cells, self._finished = time.monotonic(), 0, 0, 0, 0

        def begin(self, images: int, cells: int) -> None:
            self._start, self._total, self._cells = time.monotonic(), images, cells
            bar.update(self._task, total=images)

        def advance(self, images: int = 1) -> None:
            self._images += images
            bar.update(self._task, advance=images)

        def doing(self, words: str) -> None:
            bar.update(self._task, description=printable(words))
            if not quiet and not sys.stderr.isatty():
                self.note(words)

        def cell(self, words: str) -> None:
            self._finished += 1
            if not quiet:
                left = _left(time.monotonic() - self._start, self._images, self._total)
                self.note(f"[{self._finished} of {self._cells}, {left}] {words}")

        def note(self, line: str) -> None:
            bar.console.print(printable(line), soft_wrap=True)

    return Terminal()


def _left(seconds: float, done: int, total: int) -> str:
    """The remaining time in words, from the images seen so far.

    >>> _left(60, 100, 400), _left(1, 5, 5)
    ('about 3 min left', 'none left')
    """
    if done >= total:
        return "none left"
    if not done:
        return "time left unknown"
    rest = seconds * (total - done) / done
    return f"about {rest / 60:.0f} min left" if rest >= 90 else f"about {rest:.0f} s left"


def _print(reports: Sequence[Report], fmt: str) -> None:
    from anomalyclip.reproduction.render import FORMATS

    for report in reports:
        if fmt == "table":
            _show(report)
        else:
            click.echo(FORMATS[{"markdown": ".md", "latex": ".tex", "json": ".json"}[fmt]](report), nl=False)


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from anomalyclip.reproduction.render import cells, head, introduction, remarks

    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(f"\n{report.table.title}", style="bold")
    for line in introduction(report):
        console.print(line)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(head(report)):
        table.add_column(name, justify="right" if 3 <= number <= 5 else "left", overflow="fold")
    for row in cells(report):
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
    for line in remarks(report):
        console.print(f"- {line}", soft_wrap=True)


def _show_rows(title: str, head: list[str], rows: list[list[str]], numbers: range) -> None:
    """A plain table on stdout; the columns `numbers` are aligned right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left")
    for column, name in enumerate(head):
        table.add_column(name, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
