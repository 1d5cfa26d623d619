"""Pictures of an evaluation: ROC, precision-recall, score histograms, and a gallery of maps (matplotlib)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.gallery import draw, pick
from anomalyclip.evaluation.result import ClassResult, Evaluation, ImageRow
from anomalyclip.evaluation.tables import caption, percent
from anomalyclip.io.atomic import atomic_write, output_error
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.by_class import Models
    from anomalyclip.data.dataset import Dataset
    from anomalyclip.evaluation.predictor import CacheSettings
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

    Figure = Any  # matplotlib comes with the extra `train` and without types
    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
    Axes = tuple[NDArray[np.float64] | tuple[float, ...], NDArray[np.float64] | tuple[float, ...]]
    Panel = tuple[str, str, Sequence[tuple[ClassResult, Axes]]]  # level, metric, curves of classes

# Okabe and Ito's colours, distinct for colour-blind eyes; line styles tell further classes apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")
NORMAL_COLOUR, ANOMALOUS_COLOUR = "#0072B2", "#D55E00"
MOST_PANELS = 30
MOST_LABELS = 20
BINS = 20
DPI = 120


def plots_available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def write_plots(
    folder: Path,
    result: Evaluation,
    models: Models,
    dataset: Dataset,
    cache: CacheSettings | None = None,
    geometry: Geometry | None = None,
    areas: Areas | None = None,
    reading: Reading | None = None,
) -> list[Path]:
    """Write roc.png, pr.png, scores.png and maps.png, those that have something to show; gives their paths.

    The gallery predicts its dozen images again, from the features in the cache if there is one. Raises ConfigError
    without matplotlib, OutputError where the folder cannot be written.
    """
    if not plots_available():
        raise ConfigError("plots need matplotlib: pip install 'anomalyclip[train]', or use --no-plots")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    written = []
    picture = partial(draw, models, dataset, result, cache=cache, geometry=geometry, areas=areas, reading=reading)
    for name, figure in _figures(result, picture):
        with atomic_write(folder / f"{name}.png") as aside:
            figure.savefig(aside, format="png", dpi=DPI)
        written.append(folder / f"{name}.png")
    return written


def _figures(result: Evaluation, picture: Callable[[ImageRow], Image | None]) -> Iterator[tuple[str, Figure]]:
    """One at a time: a figure is gone before the next is drawn."""
    if _ranked(result) or any(one.pixel_curve for one in result.classes):
        yield "roc", _roc(result)
        yield "pr", _pr(result)
    scored = [one for one in result.classes if one.counts.scored]
    if scored:
        yield "scores", _histograms(result, scored[:MOST_PANELS])
    if pick(result):
        yield "maps", _gallery(result, picture)


def roc_curve(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> Curve:
    """False and true positive rate at every distinct score, from (0, 0) to (1, 1).

    >>> [axis.tolist() for axis in roc_curve(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))]
    [[0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]]
    """
    found, alarms = _counts(scores, labels)
    return np.append(0.0, alarms / (~labels).sum()), np.append(0.0, found / labels.sum())


def pr_curve(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> Curve:
    """Recall and precision at every distinct score, from recall 0; drawn as steps, its area is the average precision.

    >>> [axis.tolist() for axis in pr_curve(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))]
    [[0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 0.6666666666666666, 0.5]]
    """
    found, alarms = _counts(scores, labels)
    precision = found / (found + alarms)
    return np.append(0.0, found / labels.sum()), np.append(precision[0], precision)


def _counts(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> Curve:
    """True and false positives with the threshold at every distinct score, highest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of its group of ties
    found = np.cumsum(labels[order])[last].astype(np.float64)
    return found, np.flatnonzero(last) + 1 - found


def _scores(one: ClassResult) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rows = [row for row in one.rows if row.score is not None]
    return np.array([row.score for row in rows], np.float64), np.array([row.label == 1 for row in rows], np.bool_)


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure as New  # not pyplot: no global state, no display, safe in threads

    return New(figsize=(width, height), layout="constrained")


def _title(result: Evaluation, what: str) -> str:
    return _plain(f"{what}\n{textwrap.fill(caption(result), 90)}")


def _plain(text: str) -> str:
    """Without the dollar signs that matplotlib reads as formulas."""
    return text.replace("$", r"\$")


def _roc(result: Evaluation) -> Figure:
    images = [(one, roc_curve(*_scores(one))) for one in _ranked(result)]
    pixels = [(one, (one.pixel_curve.fpr, one.pixel_curve.tpr)) for one in result.classes if one.pixel_curve]
    panels = (("images", "image_auroc", images), ("pixels", "pixel_auroc", pixels))
    return _curves(result, "ROC, AUROC in percent", ("false-positive rate", "true-positive rate"), panels, "default")


def _pr(result: Evaluation) -> Figure:
    images = [(one, pr_curve(*_scores(one))) for one in _ranked(result)]
    pixels = [(one, (one.pixel_curve.recall, one.pixel_curve.precision)) for one in result.classes if one.pixel_curve]
    panels = (("images", "image_ap", images), ("pixels", "pixel_ap", pixels))
    return _curves(result, "Precision and recall, AP in percent", ("recall", "precision"), panels, "steps-pre")


def _ranked(result: Evaluation) -> list[ClassResult]:
    """Classes whose images have a ROC curve."""
    return [one for one in result.classes if one.values["image_auroc"] is not None]


def _curves(result: Evaluation, what: str, labels: tuple[str, str], panels: Sequence[Panel], drawstyle: str) -> Figure:
    """A panel per level that has curves; a class keeps its colour and line style in all of them."""
    panels = [panel for panel in panels if panel[2]]
    places = {one.name: number for number, one in enumerate(result.classes)}
    figure = _new_figure(5.5 * len(panels) + 1.5, 5.5)
    for axes, (level, metric, curves) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        for one, curve in curves:
            number = places[one.name]
            axes.plot(
                *curve,
                STYLES[number // len(COLOURS) % len(STYLES)],
                color=COLOURS[number % len(COLOURS)],
                label=_plain(f"{printable(one.name)} {percent(one.values[metric])}"),
                linewidth=1.5,
                drawstyle=drawstyle,
            )
        if drawstyle == "default":
            axes.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
        axes.set(xlabel=labels[0], ylabel=labels[1], xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(level, fontsize=10)
        axes.grid(alpha=0.3)
        if len(curves) <= MOST_LABELS:
            axes.legend(fontsize=7, framealpha=0.6)
    figure.suptitle(_title(result, what), fontsize=9)
    return figure


def _histograms(result: Evaluation, classes: list[ClassResult]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    columns = min(5, len(classes))
    lines = -(-len(classes) // columns)
    figure = _new_figure(max(7.0, 1.2 + 2.6 * columns), 0.8 + 2.2 * lines)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    edges = np.linspace(0, 1, BINS + 1)
    for axes, one in zip(grid.flat, classes, strict=False):
        scores, anomalous = _scores(one)
        for part, colour, name in (
            (scores[~anomalous], NORMAL_COLOUR, "normal"),
            (scores[anomalous], ANOMALOUS_COLOUR, "anomalous"),
        ):
            axes.hist(np.clip(part, 0, 1), edges, color=colour, alpha=0.6, label=name)
        axes.set_title(_plain(printable(one.name)), fontsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for axes in grid.flat[len(classes) :]:
        axes.set_visible(False)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.supxlabel("image score", fontsize=9)
    figure.supylabel("images", fontsize=9)
    figure.suptitle(_title(result, "Image scores"), fontsize=9)
    return figure


def _gallery(result: Evaluation, picture: Callable[[ImageRow], Image | None]) -> Figure:
    picks = pick(result)
    columns = max(len(rows) for rows in picks.values())
    figure = _new_figure(max(7.0, 4 * columns), 0.8 + 2.3 * len(picks))
    grid = figure.subplots(len(picks), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, (head, rows) in zip(grid, picks.items(), strict=True):
        for axes, row in zip(line, rows, strict=False):
            shown = picture(row)
            if shown is not None:
                axes.imshow(np.asarray(shown))
            own = "" if row.pixel_ap is None else f", pixel AP {percent(row.pixel_ap)}"
            name = _plain(printable(row.image)[-48:])
            axes.set_title(f"{head}\n{name}\nscore {row.score:.3f}{own}", fontsize=8)
    figure.suptitle(_title(result, "Image with outlined mask | map on a fixed scale from 0 to 1"), fontsize=9)
    return figure
