"""How far a cluster run is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from anomalyclip.cli._console import note, progress_bar
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.cluster.run import Totals

_LINE_EVERY = 30.0  # seconds


class RayProgress:
    """Told of workers about once a second and of totals after every block; shows rate and time left."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._in_log = quiet, not quiet and not sys.stderr.isatty()
        self._bar = progress_bar(shown=not quiet)
        self._task = self._bar.add_task("start workers", total=None)
        self._began = self._told = time.monotonic()
        self._workers = (0, 0)
        self._totals: Totals | None = None

    def __enter__(self) -> RayProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def failed(self) -> bool:
        """Whether a row has an error, or a picture was passed over."""
        totals = self._totals
        return totals is not None and (totals.failed > 0 or bool(totals.passed_over.pictures))

    def workers(self, ready: int, wanted: int) -> None:
        """So many are ready, and so many are wanted."""
        self._workers = ready, wanted
        self._bar.update(self._task, description=f"detect ({ready} of {wanted} workers)")
        if self._in_log and time.monotonic() - self._told >= _LINE_EVERY:
            self._told = time.monotonic()
            note(self._line())

    def totals(self, totals: Totals) -> None:
        """After every block; the first, before any, starts the clock."""
        if self._totals is None:
            self._began = time.monotonic()
        self._totals = totals
        self._bar.update(self._task, total=totals.inputs, completed=totals.done)

    def summarise(self, place: str) -> None:
        """The last lines."""
        totals = self._totals
        if self._quiet or totals is None:
            return
        counts = {"anomalous": totals.anomalous, "failed": totals.failed}
        told = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
        rate = f", {self._rate():.2f} per second" if totals.done > totals.before else ""
        before = f" ({totals.before:,} were done before)" if totals.before else ""
        lost = f", {totals.lost} workers lost" if totals.lost else ""
        note(f"{totals.done:,} images{told}{rate}{lost}{before}")
        for line in (*totals.told, *totals.passed_over.lines()):
            note(line, style="yellow")
        note(f"Results: {printable(place)}/results")

    def _rate(self) -> float:
        assert self._totals is not None
        return (self._totals.done - self._totals.before) / max(time.monotonic() - self._began, 1e-9)

    def _line(self) -> str:
        ready, wanted = self._workers
        workers = f"{ready} of {wanted} workers"
        if self._totals is None or ready == 0:
            return f"{workers}: waiting for the cluster to find room (CPUs, GPUs) and for models to load"
        totals, rate = self._totals, self._rate()
        left = f", {timedelta(seconds=round((totals.inputs - totals.done) / rate))} left" if rate else ""
        return f"{totals.done:,} of {totals.inputs:,} images, {rate:.2f} per second{left}, {workers}"
