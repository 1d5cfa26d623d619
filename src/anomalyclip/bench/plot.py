"""The speed rows as a picture: bars of images per second, one group per setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalyclip.bench.variants import VARIANTS

_BAR = "#31688e"
_REFERENCE_BAR = "#9a9a9a"


def plot_speed(rows: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Write a PNG of the rows of :attr:`anomalyclip.bench.run.Findings.speed`. Needs matplotlib."""
    from matplotlib.figure import Figure

    settings = list(dict.fromkeys((row["image_size"], row["threads"], row["batch"]) for row in rows))
    figure = Figure(figsize=(8, 0.9 + 0.42 * len(rows) + 0.5 * len(settings)), layout="constrained")
    panels = figure.subplots(len(settings), 1, squeeze=False)[:, 0]
    for axis, (size, threads, batch) in zip(panels, settings, strict=True):
        shown = [r for r in rows if (r["image_size"], r["threads"], r["batch"]) == (size, threads, batch)][::-1]
        names = [VARIANTS[r["variant"]].label for r in shown]
        colours = [_REFERENCE_BAR if r["variant"] == "reference" else _BAR for r in shown]
        bars = axis.barh(names, [r["images_per_s"] for r in shown], color=colours)
        axis.bar_label(bars, [_beside(r) for r in shown], padding=4)
        axis.margins(x=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlabel(f"images per second ({size} px, batch {batch}, {threads} threads)")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _beside(row: Mapping[str, Any]) -> str:
    ratio = f"  {row['vs_reference']:.1f}x" if row["vs_reference"] else ""
    return f"{row['images_per_s']:.2f}{ratio}"
