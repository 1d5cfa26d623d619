"""What people see: errors, notes and progress on stderr, so that stdout holds data only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def stderr_console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def report_error(error: Exception) -> None:
    """One red line, whatever the message holds."""
    from anomalyclip.io.names import printable

    line = printable(" ".join(str(error).split())) or type(error).__name__
    stderr_console().print(f"error: {line}", style="red", soft_wrap=True)


def note(line: str, *, style: str = "") -> None:
    """One line on stderr."""
    stderr_console().print(line, style=style, soft_wrap=True)


class HiddenBar:
    """A bar that nobody sees; without it every quiet run would import rich."""

    @property
    def console(self) -> Console:
        return stderr_console()

    def add_task(self, description: str, **fields: Any) -> Any:
        return 0

    def update(self, task: Any, **fields: Any) -> None: ...

    def advance(self, task: Any) -> None: ...

    def remove_task(self, task: Any) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> HiddenBar:
        return self

    def __exit__(self, *_: object) -> None: ...


def progress_bar(*, shown: bool) -> Progress | HiddenBar:
    """Done and total, rate and remaining time, on stderr; nothing where stderr is no terminal."""
    if not (shown and sys.stderr.isatty()):
        return HiddenBar()
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.2f} images/s" if task.speed else "", style="progress.data.speed")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=stderr_console(),
        redirect_stdout=False,  # rows on stdout must stay on stdout
        redirect_stderr=False,
    )
