"""A comparison as text: for the terminal, Markdown, LaTeX (best in bold), JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from anomalyclip.comparison.comparing import Comparison, MetricTable
from anomalyclip.comparison.measuring import MEANS
from anomalyclip.comparison.statistics import Estimate
from anomalyclip.evaluation import tables
from anomalyclip.evaluation.tables import MISSING, latex_text, percent
from anomalyclip.io.names import printable

HEADS = {**tables.HEADS, **{name: f"{tables.HEADS[metric]} per image" for name, metric in MEANS.items()}}
Cell = tuple[str, bool]
"""Text, and whether it is the best of its row."""
_SHOWN = 60


def interval(one: Estimate) -> str:
    """ "91.4 [88.0, 94.2]" in percent; without an interval the value alone."""
    if one.low == one.high == one.value:
        return percent(one.value)
    return f"{percent(one.value)} [{percent(one.low)}, {percent(one.high)}]"


def signed(one: Estimate | None) -> str:
    """ "+1.2 [-0.3, +2.6], p = 0.12" in points of percent."""
    if one is None:
        return MISSING
    told = f"{100 * one.value:+.1f}"
    if one.low != one.high:
        told += f" [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
    return told + ("" if one.p is None else f", p = {one.p:.2g}")


def mean_rows(found: Comparison) -> list[list[Cell]]:
    """A row per metric: its head, then every method's mean, the best marked."""
    rows = []
    for name, table in found.tables.items():
        values = [one.value for one in table.means]
        best = _best(values)
        cells = [(interval(one), mark) for one, mark in zip(table.means, best, strict=True)]
        rows.append([(HEADS[name], False), *cells])
    return rows


def difference_rows(found: Comparison) -> list[list[str]]:
    """Method, metric, difference to the first method, wins, mean rank; what no interval can be given of is left out."""
    rows = []
    for number, method in enumerate(found.methods[1:], start=1):
        for name, table in found.tables.items():
            if table.differences[number] is not None:
                rows.append([method.name, HEADS[name], signed(table.differences[number])])
    return rows


def wins_rows(found: Comparison) -> list[list[Cell]]:
    """A row per metric: over how many sets, then per method its wins and mean rank."""
    rows = []
    for name, table in found.tables.items():
        best = _best([-rank for rank in table.ranks])
        cells = [(f"{won} ({rank:.2f})", mark) for won, rank, mark in zip(table.wins, table.ranks, best, strict=True)]
        rows.append([(f"{HEADS[name]}, {len(table.sets)} set{'s' * (len(table.sets) != 1)}", False), *cells])
    return rows


def set_rows(table: MetricTable) -> list[list[Cell]]:
    """A row per set and the mean, best in bold."""
    several = len({data for data, _ in table.sets}) > 1
    rows = []
    for (data, name), values in zip(table.sets, table.values, strict=True):
        label = f"{data}: {name}" if several else name
        best = _best(values.tolist())
        cells = [(percent(value), mark) for value, mark in zip(values.tolist(), best, strict=True)]
        rows.append([(printable(label), False), *cells])
    means = [one.value for one in table.means]
    rows.append([("mean", False), *((percent(v), mark) for v, mark in zip(means, _best(means), strict=True))])
    return rows


def _best(values: Sequence[float]) -> list[bool]:
    """Whether each is the highest as it is printed; none where all are alike."""
    shown = np.round(np.array(values), 3)
    return (shown == shown.max()).tolist() if (shown != shown.max()).any() else [False] * len(values)


def footnotes(found: Comparison) -> list[str]:
    """What the numbers are, and what is missing."""
    first = found.methods[0].name
    told = [
        f"Percent; in brackets 95% of {found.resamples:,} resamples of the images (seed {found.seed}). "
        "Those of all images' pixels together come with the runs: at most 400, Poisson; none with older runs."
        if found.resamples
        else "Percent, without resampling.",
        f"Differences are to {first}, on the images that both scored, drawn alike for both; p is two-sided.",
    ]
    for name, table in found.tables.items():
        if table.test is not None:
            told.append(
                f"{HEADS[name]} over {len(table.sets)} sets: Friedman chi-square {table.test.statistic:.2f}, "
                f"p = {table.test.p:.2g}; mean ranks further apart than {table.test.critical_distance:.2f} differ "
                "(Nemenyi, 5%)."
            )
    if len(found.methods) > 2 and not any(table.test for table in found.tables.values()):
        told.append("No test of ranks: it takes 5 sets that differ.")
    return told + list(found.notes)


def as_markdown(found: Comparison) -> str:
    """Tables of means, differences, wins, every set, and of images."""
    names = [one.name for one in found.methods]
    parts = [f"Comparison of {', '.join(names)}.\n", *(f"- {one.name}: {one.told}" for one in found.methods)]
    parts += ["\n## Means\n", _markdown(["metric", *names], mean_rows(found))]
    if rows := difference_rows(found):
        plain = [[(cell, False) for cell in row] for row in rows]
        parts += [f"\n## Differences to {names[0]}\n", _markdown(["method", "metric", "points"], plain)]
    parts += ["\n## Sets won (mean rank)\n", _markdown(["metric", *names], wins_rows(found))]
    for name, table in found.tables.items():
        parts += [f"\n## {HEADS[name]}\n", _markdown(["set", *names], set_rows(table))]
    if found.images:
        head = ["image", "label", "method", f"share right, {names[0]}", "share right", "difference"]
        parts += ["\n## Images that differ most\n", _markdown(head, image_rows(found))]
        parts.append(
            "\nShare right: of the images of the other label in its class, how many this one lies on the right side of."
        )
    parts += ["", *(f"{note}\n" for note in footnotes(found))]
    return "\n".join(parts) + "\n"


def image_rows(found: Comparison) -> list[list[Cell]]:
    """A row per image difference."""
    rows = []
    for one in found.images:
        label = "anomalous" if one.label else "normal"
        cells = [printable(one.image)[-_SHOWN:], label, one.method, percent(one.first), percent(one.second)]
        rows.append([(cell, False) for cell in (*cells, f"{100 * one.difference:+.1f}")])
    return rows


def _markdown(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    lines = ["| " + " | ".join(map(_escaped, head)) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    cells = [[f"**{_escaped(text)}**" if mark else _escaped(text) for text, mark in row] for row in rows]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in cells)])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def as_latex(found: Comparison) -> str:
    """A `tabular` of means and one per metric over the sets; they need the package booktabs."""
    names = [one.name for one in found.methods]
    blocks = [_latex("means", ["metric", *names], mean_rows(found), last_apart=False)]
    for name, table in found.tables.items():
        blocks.append(_latex(HEADS[name], ["set", *names], set_rows(table), last_apart=True))
    notes = "".join(f"% {note}\n" for note in footnotes(found))
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(blocks) + notes


def _latex(what: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], *, last_apart: bool) -> str:
    lines = [f"% {what}", f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", "\\toprule"]
    lines += [" & ".join(map(latex_text, head)) + r" \\", "\\midrule"]
    for row in rows:
        if last_apart and row is rows[-1]:
            lines.append("\\midrule")
        cells = (f"\\textbf{{{latex_text(text)}}}" if mark else latex_text(text) for text, mark in row)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def as_json(found: Comparison) -> str:
    """What comparison.json holds."""
    return json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


#: format -> how the whole comparison is written in it
RENDERERS: dict[str, Callable[[Comparison], str]] = {"markdown": as_markdown, "latex": as_latex, "json": as_json}
FILES = {"markdown": "comparison.md", "latex": "comparison.tex", "json": "comparison.json"}
