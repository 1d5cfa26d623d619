"""The findings as Markdown: one table per question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from anomalyclip.bench.variants import VARIANTS

Row = Mapping[str, Any]


def markdown(record: Row) -> str:
    """The whole report of :meth:`anomalyclip.bench.run.Findings.record`."""
    machine, plan = record["machine"], record["plan"]
    parts = [
        f"{plan['model']}, {machine['processor']}, {machine['cores']} cores, {machine['instructions']}, "
        f"torch {machine['packages'].get('torch')}, {machine['time']}.",
        _limits(record),
        _table(_SPEED, record["speed"], "Speed: medians of alternating rounds"),
        _table(_OPERATORS, record["operators"], "Where torch spends an image's time"),
        _table(_DRIFT, record["drift"], "Accuracy against torch in fp32"),
        _table(_DETECT, record["detect"], "`anomalyclip detect`: decode, score, map, regions, tables"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _limits(record: Row) -> str:
    lines = [
        f"{row['image_size']} px: {row['total']:,.1f} GFLOP per image (products {row['products']:,.1f}, "
        f"attention {row['attention']:,.1f}, convolutions {row['convolutions']:,.1f})."
        for row in record["flops"]
    ]
    lines += [
        f"{row['threads']} threads multiply matrices at {row['fp32']:,.0f} GFLOP/s in fp32"
        + (f" and {row['int8']:,.0f} Gop/s in int8" if "int8" in row else "")
        + " at best in the same run; shares are of what they did right before and after each call."
        for row in record["ceiling"]
    ]
    return "\n".join(lines)


def _label(row: Row) -> str:
    variant = VARIANTS.get(row["variant"])
    return variant.label if variant else str(row["variant"])


def _number(name: str, form: str) -> Any:
    def show(row: Row) -> str:
        value = row[name]
        return "" if value is None or (isinstance(value, float) and math.isnan(value)) else format(value, form)

    return show


_SPEED = {
    "variant": _label,
    "px": _number("image_size", "d"),
    "threads": _number("threads", "d"),
    "batch": _number("batch", "d"),
    "s": _number("median_s", ".3f"),
    "quartiles": lambda row: f"{row['q1_s']:.3f} to {row['q3_s']:.3f}",
    "CPU s": _number("cpu_s", ".3f"),
    "images/s": _number("images_per_s", ".2f"),
    "x reference": _number("vs_reference", ".2f"),
    "x reference, CPU s": _number("vs_reference_cpu", ".2f"),
    "of the ceiling": _number("ceiling_share", ".0%"),
}
_OPERATORS = {
    "operator": lambda row: f"`{row['name']}`",
    "px": _number("image_size", "d"),
    "ms": lambda row: f"{1000 * row['seconds']:.1f}",
    "share": _number("share", ".1%"),
    "calls": _number("calls", "d"),
}
_DRIFT = {
    "variant": _label,
    "data": lambda row: str(row["dataset"]),
    "images": _number("images", "d"),
    "score, largest change": _number("score_change", ".1e"),
    "map, largest change": _number("map_change", ".1e"),
    "map, least correlation": _number("map_correlation", ".5f"),
    "image AUROC": _number("image_auroc", ".4f"),
    "change": _number("image_auroc_change", "+.4f"),
    "pixel AUROC": _number("pixel_auroc", ".4f"),
    "change ": _number("pixel_auroc_change", "+.4f"),
}
_DETECT = {
    "variant": _label,
    "threads": _number("threads", "d"),
    "images": _number("images", "d"),
    "images/s": _number("images_per_s", ".1f"),
    "one image, from start to end, s": _number("first", ".2f"),
    "peak memory, MB": _number("peak_mb", ".0f"),
}


def _table(columns: Mapping[str, Any], rows: Sequence[Row], title: str) -> str:
    """A Markdown table; columns that are empty in every row are left out."""
    if not rows:
        return ""
    cells = {name: [show(row) for row in rows] for name, show in columns.items()}
    shown = {name: column for name, column in cells.items() if any(column)}
    lines = [f"| {' | '.join(shown)} |", f"|{'|'.join('---' if name in _TEXT else '---:' for name in shown)}|"]
    lines += [f"| {' | '.join(column[index] for column in shown.values())} |" for index in range(len(rows))]
    return f"### {title}\n\n" + "\n".join(lines)


_TEXT = {"variant", "operator", "data"}
