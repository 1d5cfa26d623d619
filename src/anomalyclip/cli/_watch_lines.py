"""What people see of a watch, on stderr: a line per image, drift once, and what is left at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from anomalyclip.cli._console import note
from anomalyclip.io.names import printable
from anomalyclip.io.scanning import PassedOver

if TYPE_CHECKING:
    from anomalyclip.calibration import DriftMonitor, Profile
    from anomalyclip.cli._table import RowPrinter
    from anomalyclip.detect.journal import Row
    from anomalyclip.watching.arrival import Source
    from anomalyclip.watching.notify import Courier

_STYLES = {"anomalous": "red", "failed": "yellow"}


def trouble(line: str) -> None:
    """Something that people should know of even with --quiet."""
    note(line, style="yellow")


def shower(printer: RowPrinter, profile: Profile | None, *, lines: bool) -> Callable[[Row], None]:
    """Takes every row: prints and counts it, and warns of drift. lines: a line for people, too."""
    from anomalyclip.calibration import DriftMonitor

    monitor = None if profile is None else DriftMonitor(profile)
    warned: set[str] = set()

    def show(row: Row) -> None:
        printer.add(row)
        if lines:
            text, style = _line(row)
            note(text, style=style)
        if monitor is not None and row["score"] is not None:
            monitor.add(row["score"])
            _warn_once(monitor, warned)

    return show


def summarise(printer: RowPrinter, couriers: Sequence[Courier], source: Source, *, quiet: bool) -> None:
    """Counts, and the messages that nobody has taken."""
    summary = printer.summary
    counts = {"anomalous": summary.anomalous, "failed": summary.failed, "missed": getattr(source, "missed", 0)}
    listed = "".join(f", {n:,} {label}" for label, n in counts.items() if n)
    if not quiet:
        note(f"{summary.count:,} scored{listed}. Continue with the same command.")
        passed: PassedOver | None = getattr(source, "passed_over", None)
        for line in passed.lines() if passed is not None else ():
            note(line, style="yellow")
    written: list[str] = getattr(source, "still_written", [])
    if written:
        one = f"{printable(written[0])}" + (f" and {len(written) - 1:,} more" if written[1:] else "")
        trouble(f"still being written, and not scored: {one}; the next run takes what is complete by then")
    for courier in couriers:
        waiting, given_up = courier.count()
        if waiting or given_up:
            more = f", {given_up:,} were given up" if given_up else ""
            messages = "1 message waits" if waiting == 1 else f"{waiting:,} messages wait"
            trouble(f"{courier.channel}: {messages} for the next run{more}")


def evidence_left(kept: int, lost: int) -> None:
    """kept: folders of evidence that wait for room; lost: those that nothing could keep."""
    if kept:
        trouble(f"evidence of {kept:,} anomalies found the disk full and waits for room: the next run writes it")
    if lost:
        trouble(f"evidence of {lost:,} anomalies found the disk full, and there was no room to keep it: it is lost")


def _line(row: Row) -> tuple[str, str]:
    """(text, style)"""
    if row["score"] is None:
        return f"failed  {printable(row['path'])}: {row['error']}", _STYLES["failed"]
    decision = row["decision"] or ""
    more = f": {row['error']}" if row["error"] is not None else ""
    return f"{row['score']:.4f}  {decision:9}  {printable(row['path'])}{more}", _STYLES.get(decision, "")


def _warn_once(monitor: DriftMonitor, warned: set[str]) -> None:
    """A drifting line drifts on: one line of each kind is enough for a run."""
    warning = monitor.warning()
    if warning is not None and (kind := warning.partition(":")[0]) not in warned:
        warned.add(kind)
        trouble(warning)
