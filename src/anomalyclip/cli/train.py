"""`anomalyclip train`: the options and their meaning; `anomalyclip.training` does the work."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from anomalyclip.cli._address_space import check_address_space
from anomalyclip.cli._console import HiddenBar, note, progress_bar
from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from anomalyclip.training import TrainConfig, TrainResult
    from anomalyclip.training.reporter import Reporter


_DONE, _SOME_FAILED, _INTERRUPTED = 0, 3, 130


@verb("train", third="done but some files were left out")
def app(given: Given) -> None:
    """Learn prompts on data sets that have anomalies, for use on anything else.

    The frozen encoder sees every image once; then only the prompts are trained. Interrupted (even killed), the same
    command goes on where it was.
    """
    from anomalyclip.training import TrainConfig

    logged = {"output": str(given.output), "loggers": ("csv", *(given.loggers or ()))}
    config = TrainConfig(**given.all_but("quiet") | logged)
    raise click.exceptions.Exit(_run(config, given.quiet))


def _run(config: TrainConfig, quiet: bool) -> int:
    check_extra()
    check_address_space(None, "export")
    from anomalyclip.training import train as run_training

    try:
        with progress_bar(shown=not quiet) as bar:
            result = run_training(config, reporter=_reporter(bar, quiet))
    except KeyboardInterrupt:
        note("Interrupted. What is done is kept: the same command goes on from there.", style="yellow")
        return _INTERRUPTED
    if not quiet and os.environ.get("LOCAL_RANK", "0") == "0":  # Lightning starts other devices with the same call
        _summarise(result)
    return _SOME_FAILED if result.problems else _DONE


def check_extra() -> None:
    """Raises ConfigError with the pip command before torch is loaded."""
    from importlib.util import find_spec

    missing = [name for name in ("lightning", "matplotlib", "yaml") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"anomalyclip train needs {', '.join(missing)}: pip install 'anomalyclip[train]'")


def _reporter(bar: Progress | HiddenBar, quiet: bool) -> Reporter:
    """Bars on a terminal; elsewhere one line per stage and epoch, so that logs stay readable."""
    from anomalyclip.io.names import printable
    from anomalyclip.training.reporter import Reporter

    class Terminal(Reporter):
        def __init__(self) -> None:
            self._task: TaskID | None = None

        def stage(self, name: str, total: int, done: int = 0) -> None:
            if self._task is not None:
                bar.remove_task(self._task)
            self._task = bar.add_task(name, total=total, completed=done)
            if not quiet and not sys.stderr.isatty():
                self.note(f"{name}: {total - done:,} images")

        def advance(self, images: int) -> None:
            if self._task is not None:
                bar.update(self._task, advance=images)

        def note(self, line: str) -> None:
            if not quiet:
                bar.console.print(printable(line), soft_wrap=True)

        def problem(self, line: str) -> None:
            bar.console.print(printable(line), style="yellow", soft_wrap=True)

    return Terminal()


def _summarise(result: TrainResult) -> None:
    from anomalyclip.io.names import printable

    last = result.history[-1]
    note(f"{result.images:,} images, {len(result.history)} epochs, loss {last['loss']:.4f}")
    if result.problems:
        note(f"{len(result.problems):,} files left out or used in part: {printable(result.folder / 'problems.txt')}")
    best = f", best: {printable(result.best)}" if result.best is not None else ""
    note(f"Prompts: {printable(result.prompts)}{best}")
