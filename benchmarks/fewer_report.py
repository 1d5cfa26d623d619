"""Numbers, tables and picture of fewer_operations.py: AUROC on resampled images, Markdown, a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BASE = "nothing left out"
BINS, MOST_SURE = 4096, 21.0
COLOURS = ("#444444", "#7b4fa3", "#31688e", "#1f9d76", "#d1741f", "#c0392b")


def histogram(values: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Normal and anomalous pixels (2, BINS) by the logit of their value, as pocket's own validation counts them."""
    chance = np.clip(values, 1e-9, 1 - 1e-7)
    places = ((np.log(chance / (1 - chance)) / MOST_SURE + 1) / 2 * BINS).astype(np.int64).clip(0, BINS - 1)
    return np.bincount((places + BINS * truth).ravel(), minlength=2 * BINS).reshape(2, BINS).astype(np.uint32)


def image_aurocs(scores: list[float], labels: NDArray[np.int64], draws: NDArray[Any]) -> NDArray[np.float64]:
    """AUROC under each of the draws (R, images), which say how often each image was drawn: P(a > n) + P(a = n) / 2."""
    values, odd = np.array(scores), labels == 1
    above = np.sign(values[odd][:, None] - values[~odd][None, :]) / 2 + 0.5
    wins = np.einsum("ra,an,rn->r", draws[:, odd], above, draws[:, ~odd], optimize=True)
    return np.asarray(wins / (draws[:, odd].sum(axis=1) * draws[:, ~odd].sum(axis=1)))


def pixel_aurocs(pixels: list[NDArray[np.uint32]], draws: NDArray[Any]) -> NDArray[np.float64]:
    """The same over pixels, of the images drawn."""
    counts = np.stack(pixels).reshape(len(pixels), -1).astype(np.float64)
    normal, anomalous = np.split(draws.astype(np.float64) @ counts, 2, axis=1)
    wins = (anomalous * (np.cumsum(normal, axis=1) - normal / 2)).sum(axis=1)
    return np.asarray(wins / (normal.sum(axis=1) * anomalous.sum(axis=1)))


def markdown(record: dict[str, Any]) -> str:
    """Two tables: means, changes in points and operations; then every set."""
    lines = [
        "| variant | ViT-L/14 GFLOP | share | image AUROC | change, points | worst set | pixel AUROC | change, points |"
    ]
    lines[0] += " worst set |"
    lines.append("|---|" + "---:|" * (lines[0].count("|") - 2))
    for row in record["rows"]:
        cells = [f"{row['vit_l_gflop']:,.0f}", f"{row['vit_l_share']:.0%}"]
        for kind in ("image", "pixel"):
            cells += [f"{row[kind]['mean']:.3f}", *_changes(row[kind], record["rows"][0][kind], list(record["images"]))]
        lines.append(f"| {row['variant']} | " + " | ".join(cells) + " |")
    names = [
        (kind, data) for kind in ("image", "pixel") for data in record["images"] if data in record["rows"][0][kind]
    ]
    lines += ["", "| variant | " + " | ".join(f"{kind} {data}" for kind, data in names) + " |"]
    lines.append("|---|" + "---:|" * len(names))
    for row in record["rows"]:
        lines.append(f"| {row['variant']} | " + " | ".join(f"{row[kind][data]:.3f}" for kind, data in names) + " |")
    return "\n".join(lines) + "\n"


def _changes(found: dict[str, Any], base: dict[str, Any], sets: list[str]) -> list[str]:
    """Points: the mean's change with its interval, and the change of the set that loses most; empty for the base."""
    if found is base:
        return ["", ""]
    low, high = (100 * end for end in found["interval"])
    worst = min(100 * (found[data] - base[data]) for data in sets if data in base)
    return [f"{100 * found['change']:+.1f} ({low:+.1f} to {high:+.1f})", f"{worst:+.1f}"]


def draw(record: dict[str, Any], path: Path) -> None:
    """AUROC against the share of ViT-L/14's operations, one panel for images, one for pixels; rows are numbered."""
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(row["group"] for row in record["rows"]))
    colours = dict(zip(groups, COLOURS, strict=False))
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, kind in zip(axes, ("image", "pixel"), strict=True):
        base = record["rows"][0][kind]["mean"]
        axis.axhspan(base - 0.005, base, color="#e8e8e8", zorder=0)
        for group in groups:
            chosen = [(number, row) for number, row in enumerate(record["rows"]) if row["group"] == group]
            x, y = [row["vit_l_share"] for _, row in chosen], [row[kind]["mean"] for _, row in chosen]
            axis.plot(x, y, "o-" if group == "image size" else "o", color=colours[group], lw=1, ms=6)
            for number, row in chosen:
                ends = [base + end for end in row[kind]["interval"]]
                axis.vlines(row["vit_l_share"], *ends, color=colours[group], lw=1, alpha=0.25)
                place = (row["vit_l_share"], row[kind]["mean"])
                axis.annotate(str(number), place, (4, 4), textcoords="offset points", fontsize=8, color=colours[group])
        axis.set_ylabel(f"{kind} AUROC of pocket, mean over sets")
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].set_xlabel("share of the operations of ViT-L/14@336 at 518 px")
    axes[1].xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0].set_title(
        "Accuracy measured on pocket, operations counted on ViT-L/14; grey: at most half a point lost",
        loc="left",
        fontsize=10,
    )
    handles = [axes[0].plot([], [], "o", color=colours[row["group"]])[0] for row in record["rows"]]
    names = [f"{number}  {row['variant']}" for number, row in enumerate(record["rows"])]
    figure.legend(handles, names, loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
