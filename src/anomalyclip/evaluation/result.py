"""What an evaluation gives: one row per image, seven metrics per class, their mean, and where all this came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anomalyclip.evaluation.curves import PixelCurve
from anomalyclip.evaluation.few_shot.result import FewShot

IMAGE_METRICS = ("image_auroc", "image_ap", "image_f1_max")
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro")
METRICS = IMAGE_METRICS + PIXEL_METRICS
DECISIONS = ("recall_at_fpr", "false_alarm_rate")
FORMAT = 1


@dataclass(frozen=True)
class ImageRow:
    """One image.

    Attributes:
        image: its path, relative to the data set's root where it lies below it.
        class_name, kind, label: as in `anomalyclip.data.dataset.Item`.
        score: image score; None where there is none.
        pixel_auroc, pixel_ap, aupro: of this image's map alone; None for normal images and without a usable mask.
        problem: one line that says what kept the image, or its pixels, out of the metrics; None if nothing did.
    """

    image: str
    class_name: str
    kind: str
    label: int
    score: float | None = None
    pixel_auroc: float | None = None
    pixel_ap: float | None = None
    aupro: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Counts:
    """Images of a class: all, by label, with a score, compared pixel by pixel, and with a problem."""

    images: int
    normal: int
    anomalous: int
    scored: int
    with_pixels: int
    problems: int


@dataclass(frozen=True)
class PixelResamples:
    """PIXEL_METRICS of all images together, on images drawn anew; see :mod:`anomalyclip.metrics.resampling`.

    images: digest of the names of the images whose pixels were compared. seed: of the draws; runs with the same images
    and seed see the same ones. values: metric -> its value in each resample, None where that lacks a class of pixels.
    """

    images: str
    seed: int
    values: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class ClassResult:
    """One class.

    Attributes:
        name: the class.
        values: METRICS -> value in [0, 1], None where undefined.
        undefined: metric -> why it is None.
        intervals: image_auroc and image_ap -> ends of the 95% bootstrap interval, where defined.
        counts: see Counts.
        rows: one per image, in the order of the data set.
        pixel_curve: for plots; None where the pixel metrics are undefined.
        error_bounds: pixel metric -> how far it may lie from its exact value, at most: 0 where every pixel was kept.
        decisions: DECISIONS -> shares of the anomalous and of the normal images that reach the threshold, None where
            there are none; empty without a threshold.
        resamples: for intervals of the pixel metrics; None where they are undefined, or no resample was asked for.
    """

    name: str
    values: Mapping[str, float | None]
    undefined: Mapping[str, str]
    intervals: Mapping[str, tuple[float, float]]
    counts: Counts
    rows: tuple[ImageRow, ...] = field(repr=False)
    pixel_curve: PixelCurve | None = field(default=None, repr=False)
    error_bounds: Mapping[str, float] = field(default_factory=dict)
    decisions: Mapping[str, float | None] = field(default_factory=dict)
    resamples: PixelResamples | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without rows and curve."""
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {
            **self.values,
            **self.decisions,
            "intervals": intervals,
            "undefined": dict(self.undefined),
            "error_bounds": dict(self.error_bounds),
            "counts": asdict(self.counts),
        }


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        dataset: name, root and split of the data, its number of images, and the problems its reader found.
        classes: in the order of the data set.
        model: `provenance()` of the model.
        settings: what else decided the numbers.
        versions: of this package, Python and the libraries.
        few_shot: what lines drawn from few good pictures give, where that was asked for.
    """

    dataset: Mapping[str, Any]
    classes: tuple[ClassResult, ...]
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    few_shot: FewShot | None = None

    @property
    def mean(self) -> dict[str, float | None]:
        """METRICS -> unweighted mean over the classes that have the metric; None where none has."""
        return {name: sum(values) / len(values) if values else None for name, values in self._defined().items()}

    @property
    def mean_over(self) -> dict[str, int]:
        """METRICS -> how many classes the mean is over."""
        return {name: len(values) for name, values in self._defined().items()}

    @property
    def mean_decisions(self) -> dict[str, float | None]:
        """DECISIONS -> unweighted mean over the classes that have it; empty where no threshold was given."""
        found: dict[str, float | None] = {}
        for name in DECISIONS if any(result.decisions for result in self.classes) else ():
            values = [value for result in self.classes if (value := result.decisions.get(name)) is not None]
            found[name] = sum(values) / len(values) if values else None
        return found

    @property
    def rows(self) -> list[ImageRow]:
        """All images, class by class."""
        return [row for result in self.classes for row in result.rows]

    @property
    def problems(self) -> list[ImageRow]:
        """The images that were left out, wholly or in part."""
        return [row for row in self.rows if row.problem is not None]

    def to_dict(self) -> dict[str, Any]:
        """What metrics.json holds: every undefined value is None and has a reason."""
        missing = {name: "undefined for every class" for name, count in self.mean_over.items() if not count}
        return {
            "format": FORMAT,
            "dataset": dict(self.dataset),
            "mean": {**self.mean, **self.mean_decisions, "classes_counted": self.mean_over, "undefined": missing},
            "classes": {result.name: result.to_dict() for result in self.classes},
            **({} if self.few_shot is None else {"few_shot": self.few_shot.to_dict()}),
            "problems": [{"image": row.image, "problem": row.problem} for row in self.problems],
            "model": dict(self.model),
            "settings": dict(self.settings),
            "versions": dict(self.versions),
        }

    def _defined(self) -> dict[str, list[float]]:
        columns = {name: [result.values[name] for result in self.classes] for name in METRICS}
        return {name: [value for value in column if value is not None] for name, column in columns.items()}
