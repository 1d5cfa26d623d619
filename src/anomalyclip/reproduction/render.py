"""A report as Markdown, LaTeX and JSON; every page says which backbone its figures come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalyclip.evaluation.run import library_versions
from anomalyclip.evaluation.tables import HEADS, MISSING, latex_text
from anomalyclip.io.names import printable
from anomalyclip.reproduction.pages import Entry, Report, Row, heading
from anomalyclip.reproduction.paper import TOLERANCES

FORMAT = 1
SOURCE = "arXiv 2310.18961"
_RENDERED = " (rendered)"
_NUMBERS = 3  # columns that are aligned to the right, after the first three


def head(report: Report) -> list[str]:
    """Names of the columns."""
    return ["data set", "variant", "metric", *heading(report), "difference", "tolerance"]


def cells(report: Report) -> list[list[str]]:
    """The rows as text; a data set or variant that repeats is blank."""
    body, before = [], ("", "")
    for row in report.rows:
        here = (row.dataset, row.variant)
        dataset = f"{row.dataset}{_RENDERED if row.rendered else ''}"
        names = ["" if row.dataset == before[0] else dataset, "" if here == before else row.variant]
        figures = [_number(row.ours), _number(row.paper), _number(row.difference, signed=True)]
        body.append([*names, HEADS[row.metric], *figures, _tolerance(row)])
        before = here
    return body


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return MISSING
    text = f"{value:+.1f}" if signed else f"{value:.1f}"
    return "+0.0" if text == "-0.0" and signed else text


def _tolerance(row: Row) -> str:
    return f"{row.verdict} {TOLERANCES[row.metric]:g}" if row.verdict else ""


def introduction(report: Report) -> list[str]:
    """What the figures are, one paragraph each."""
    backbone, table = report.backbone, report.table
    size = {entry.result["model"].get("settings", {}).get("image_size") for entry in report.entries} - {None}
    pixels = f", {', '.join(str(one) for one in sorted(size))} px" if size else ""
    lines = [
        f"Our figures come from the backbone {backbone.name} (weights {backbone.weights_sha256[:12]}{pixels}). "
        f"The paper's ({SOURCE}) come from ViT-L/14@336. Values in percent, means over classes; differences in points, "
        "ours minus the paper's.",
        table.note,
        f"Prompts: {'; '.join(_prompts(report))}." if report.entries else "",
    ]
    return [printable(line) for line in lines if line]


def _prompts(report: Report) -> list[str]:
    """Which prompts judged what."""
    shared: dict[str, list[tuple[str, str]]] = {}
    for entry in report.entries:
        shared.setdefault(entry.judge.words, []).append((entry.cell.target, entry.cell.variant.label))
    return [f"{words} ({_which(who, report)})" for words, who in shared.items()]


def _which(who: Sequence[tuple[str, str]], report: Report) -> str:
    """Cells in words: their data sets, and their variants where those are not all."""
    if len(who) == len(report.entries) > 1:
        return "all"
    targets, variants = (tuple(dict.fromkeys(names)) for names in zip(*who, strict=True))
    every = {entry.cell.variant.label for entry in report.entries}
    return ", ".join(targets) + ("" if set(variants) == every else f": {', '.join(variants)}")


def remarks(report: Report) -> list[str]:
    """Why figures are not compared, what is missing and what was not run; one line each."""
    tolerances = ", ".join(f"{HEADS[name]} {value:g}" for name, value in TOLERANCES.items())
    lines = []
    if any(row.verdict for row in report.rows):
        lines.append(f"Tolerance in points, the spread of published reruns: {tolerances}.")
    for reason, who in report.reasons.items():
        concerned = f" ({_which(who, report)})" if who else ""
        lines.append(f"Not held against the paper: {reason}{concerned}.")
    for name, count in report.left_out.items():
        lines.append(f"{count} image{'s' * (count != 1)} of {name} left out; see problems in its cell.")
    lines += [f"Not found: {known.name} ({known.source})." for known in report.missing]
    lines += [f"Not run: {one.target}, {one.variant}: {one.reason}." for one in report.skipped]
    return [printable(line) for line in lines]


def as_markdown(report: Report) -> str:
    """A page with one GitHub table."""
    lines = [f"# {report.table.title}", "", *_paragraphs(introduction(report))]
    if report.rows:
        rules = ["---", "---", "---", *["---:"] * _NUMBERS, "---"]
        rows = [[cell.replace("|", "\\|") for cell in row] for row in (head(report), rules, *cells(report))]
        lines += [*("| " + " | ".join(row) + " |" for row in rows), ""]
    else:
        lines += ["No figure: nothing of this table could be run.", ""]
    lines += [f"- {remark}" for remark in remarks(report)]
    return "\n".join([*lines, "", f"Made by {_made_by()}."]) + "\n"


def as_latex(report: Report) -> str:
    """A `tabular` that needs the package booktabs; what else the page says stands in comments."""
    first, *body = [[latex_text(cell) for cell in row] for row in (head(report), *cells(report))]
    said = [report.table.title, *introduction(report), *remarks(report), f"Made by {_made_by()}."]
    lines = [
        *(f"% {line}" for line in said),
        "% Needs \\usepackage{booktabs}.",
        f"\\begin{{tabular}}{{lll{'r' * _NUMBERS}l}}",
        "\\toprule", " & ".join(first) + r" \\",
        "\\midrule", *(" & ".join(row) + r" \\" for row in body),
        "\\bottomrule", "\\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def to_dict(report: Report) -> dict[str, Any]:
    """JSON-ready: rows in percent, and under `cells` the values per class (0 to 1) that their means are over."""
    return {
        "format": FORMAT,
        "table": report.table.name,
        "title": report.table.title,
        "note": report.table.note,
        "backbone": {
            "name": report.backbone.name,
            "weights_sha256": report.backbone.weights_sha256,
            "is_the_papers": report.backbone.is_the_papers,
        },
        "paper": {"source": SOURCE, "backbone": "ViT-L/14@336", "tolerances": TOLERANCES},
        "settings": {name: str(v) if isinstance(v, Path) else v for name, v in asdict(report.config).items()},
        "versions": library_versions(),
        "rows": [asdict(row) for row in report.rows],
        "cells": [_cell(entry) for entry in report.entries],
        "not_compared": {reason: [list(one) for one in who] for reason, who in report.reasons.items()},
        "left_out": dict(report.left_out),
        "missing": [{"dataset": known.name, "source": known.source} for known in report.missing],
        "not_run": [asdict(one) for one in report.skipped],
    }


def _cell(entry: Entry) -> dict[str, Any]:
    result = entry.result
    return {
        "dataset": entry.cell.target,
        "root": str(entry.root),
        "variant": entry.cell.variant.label,
        "prompts": entry.judge.words,
        "learned_on": list(entry.judge.training.auxiliary) if entry.judge.training else [],
        "folder": entry.folder,
        "model": result["model"],
        "mean": {name: result["mean"].get(name) for name in HEADS},
        "classes": {name: {metric: one.get(metric) for metric in HEADS} for name, one in result["classes"].items()},
    }


def as_json(report: Report) -> str:
    """What table_NAME.json holds."""
    return json.dumps(to_dict(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _paragraphs(lines: list[str]) -> list[str]:
    return [part for line in lines for part in (line, "")]


def _made_by() -> str:
    return ", ".join(f"{name} {version}" for name, version in library_versions().items())


#: suffix of the file -> how a report is written in it
FORMATS: dict[str, Callable[[Report], str]] = {".md": as_markdown, ".tex": as_latex, ".json": as_json}
