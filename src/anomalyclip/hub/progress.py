"""What a user sees while a file travels: a bar with rate and remaining time on a terminal, one line elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

Report = Callable[[int], None]


class Meter(Protocol):
    """Opens a display for one file of ``total`` bytes; the callable it yields takes the bytes present so far."""

    def __call__(self, label: str, total: int) -> contextlib.AbstractContextManager[Report]: ...


@contextlib.contextmanager
def silent(label: str, total: int) -> Iterator[Report]:
    """Shows nothing."""
    yield lambda done: None


@contextlib.contextmanager
def meter(label: str, total: int) -> Iterator[Report]:
    """A bar on stderr if it is a terminal, else a single line (logs stay readable)."""
    if not sys.stderr.isatty():
        print(f"downloading {label} ({human_size(total)})", file=sys.stderr)
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)


def human_size(size: int) -> str:
    """Bytes in the unit a person would use.

    >>> human_size(934_088_680), human_size(512)
    ('934.1 MB', '512 B')
    """
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}" if units[0] != "B" else f"{size} B"
