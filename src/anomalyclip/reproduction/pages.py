"""One table of results: our figures beside the paper's, where they may be compared, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalyclip.data.known import KNOWN, Known
from anomalyclip.data.standins import is_standin
from anomalyclip.reproduction.cells import Cell, Page, Skipped
from anomalyclip.reproduction.config import ReproduceConfig
from anomalyclip.reproduction.judges import Backbone, Judge
from anomalyclip.reproduction.paper import HEADING, MEASURES, Verdict, published, verdict
from anomalyclip.reproduction.plan import Table

_LEVELS = {metric: level for (level, _), metric in MEASURES.items()}
GAIN = "gain"


@dataclass(frozen=True)
class Entry:
    """A finished cell. folder: relative to the output. root: of the data. result: its metrics.json."""

    cell: Cell
    judge: Judge
    folder: str
    root: Path
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One figure. ours and paper in percent; None where there is none.

    difference: ours minus paper in points; None without both, and on rendered stand-ins, where it would mean nothing.
    verdict: None where the two may not be compared, for one of the `Report.reasons`, or there are not both.
    rendered: the data is a stand-in.
    """

    dataset: str
    variant: str
    metric: str
    ours: float | None
    paper: float | None
    difference: float | None
    verdict: Verdict | None
    rendered: bool


@dataclass(frozen=True)
class Report:
    """One table.

    Attributes:
        table, backbone, config: what was asked of which model.
        rows: in the order of the paper. entries: the cells behind them.
        missing: data sets that do not lie below the root. skipped: cells that were not run.
        reasons: why figures are not compared -> the cells concerned, as (data set, variant); none for all of them.
        left_out: data set -> images without a result, over all variants the most.
    """

    table: Table
    backbone: Backbone
    config: ReproduceConfig
    rows: tuple[Row, ...]
    entries: tuple[Entry, ...]
    missing: tuple[Known, ...]
    skipped: tuple[Skipped, ...]
    reasons: Mapping[str, tuple[tuple[str, str], ...]]
    left_out: Mapping[str, int]


def make_report(page: Page, entries: Sequence[Entry], backbone: Backbone, config: ReproduceConfig) -> Report:
    """Rows, reasons and gaps of one table from its finished cells."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    if not backbone.is_the_papers:
        reasons[f"the backbone is {Path(backbone.name).name}, the paper's is ViT-L/14@336"] = []
    rows: list[Row] = []
    left_out: dict[str, int] = {}
    for entry in entries:
        found = _departures(entry, config)
        for reason in found:
            reasons.setdefault(reason, []).append((entry.cell.target, entry.cell.variant.label))
        rows += _rows(entry, page.table, comparable=backbone.is_the_papers and not found)
        problems = len(entry.result.get("problems", []))
        if problems:
            left_out[entry.cell.target] = max(problems, left_out.get(entry.cell.target, 0))
    return Report(
        page.table,
        backbone,
        config,
        tuple(_gains(entries, page.table) if page.table.gain else rows),
        tuple(entries),
        tuple(KNOWN[name] for name in page.missing),
        page.skipped,
        {reason: tuple(who) for reason, who in reasons.items()},
        left_out,
    )


def metrics_of(target: str) -> list[str]:
    """What the paper measures on a data set, in the order of its tables."""
    return [metric for metric, level in _LEVELS.items() if level in KNOWN[target].levels]


def _rows(entry: Entry, table: Table, *, comparable: bool) -> list[Row]:
    rows = []
    cell = entry.cell
    for metric in metrics_of(cell.target):
        value = entry.result["mean"].get(metric)
        ours = None if value is None else 100 * value
        paper = published(table.paper, cell.target, cell.variant.paper, metric)
        difference = _difference(entry, ours, paper)
        judged = verdict(metric, difference) if comparable and difference is not None else None
        rows.append(
            Row(cell.target, cell.variant.label, metric, ours, paper, difference, judged, is_standin(entry.root))
        )
    return rows


def _difference(entry: Entry, ours: float | None, paper: float | None) -> float | None:
    return None if ours is None or paper is None or is_standin(entry.root) else ours - paper


def _gains(entries: Sequence[Entry], table: Table) -> list[Row]:
    """The first variant minus the second on each data set, beside the paper's gain."""
    pairs: dict[str, list[Entry]] = {}
    for entry in entries:
        pairs.setdefault(entry.cell.target, []).append(entry)
    gains = []
    for target, pair in pairs.items():
        for metric in metrics_of(target) if len(pair) == 2 else ():
            first, second = (entry.result["mean"].get(metric) for entry in pair)
            ours = None if first is None or second is None else 100 * (first - second)
            paper = published(table.paper, target, pair[0].cell.variant.paper, metric)
            difference = _difference(pair[0], ours, paper)
            gains.append(Row(target, GAIN, metric, ours, paper, difference, None, is_standin(pair[0].root)))
    return gains


def _departures(entry: Entry, config: ReproduceConfig) -> list[str]:
    """How a cell departs from what the paper measured, besides the backbone."""
    known, found = KNOWN[entry.cell.target], []
    if is_standin(entry.root):
        found.append("the data is a rendered stand-in, not the data set")
    else:
        found += _other_images(known, entry.result)
    if entry.result.get("problems"):
        found.append("images were left out")
    if config.image_size is not None:
        found.append(f"the image size was set to {config.image_size}")
    return [*found, *entry.judge.deviations]


def _other_images(known: Known, result: Mapping[str, Any]) -> list[str]:
    lacking = [name for name in known.classes if name not in result["classes"]]
    if lacking:
        return [f"{len(known.classes) - len(lacking)} of {len(known.classes)} classes are there"]
    if known.images is None:
        return []
    counts = [one["counts"] for one in result["classes"].values()]
    images = tuple(sum(count[label] for count in counts) for label in ("normal", "anomalous"))
    if images == known.images:
        return []
    return ["{} normal and {} anomalous images, the published split has {} and {}".format(*images, *known.images)]


def heading(report: Report) -> tuple[str, str]:
    """Heads of the two columns of figures, which cannot be taken for one another."""
    return f"ours: {Path(report.backbone.name).name}", HEADING
