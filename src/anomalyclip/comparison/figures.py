"""The figures that `evaluate` recorded, as `compare` believes them: shares, counts, and means of their classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from anomalyclip.comparison.records import Count, Detector, Measured, PerClass, Record, Share
from anomalyclip.evaluation.result import FORMAT, METRICS, PIXEL_METRICS

if TYPE_CHECKING:
    from typing_extensions import Self

_SAME = 1e-9  # of two ways to one mean


def _is_one(value: int) -> int:
    if value != FORMAT:
        raise ValueError(f"it is {value}, this program reads {FORMAT}")
    return value


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("the lower end lies above the upper")
    return ends


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"it is none of {', '.join(names)}")
        return name

    return check


Format = Annotated[int, AfterValidator(_is_one)]
Ends = Annotated[tuple[Share, Share], Field(strict=False), AfterValidator(_ascending)]


class Counts(Record):
    """See `anomalyclip.evaluation.result.Counts`."""

    images: Count
    normal: Count
    anomalous: Count
    scored: Count
    with_pixels: Count
    problems: Count


class _Dataset(Record):
    name: Annotated[str, Field(min_length=1)]
    root: Annotated[str, Field(min_length=1)]
    split: str
    images: Count
    problems: list[str]


class _Problem(Record):
    image: str
    problem: str


class _Values(Record):
    """METRICS and, where a threshold was given, DECISIONS."""

    image_auroc: Share | None
    image_ap: Share | None
    image_f1_max: Share | None
    pixel_auroc: Share | None
    pixel_ap: Share | None
    pixel_f1_max: Share | None
    aupro: Share | None
    recall_at_fpr: Share | None = None
    false_alarm_rate: Share | None = None


class OfClass(_Values):
    """See `anomalyclip.evaluation.result.ClassResult`."""

    intervals: dict[str, Ends]
    undefined: dict[str, str]
    error_bounds: dict[str, Share] = Field(default_factory=dict)
    counts: Counts


class _Mean(_Values):
    classes_counted: dict[str, Count]
    undefined: dict[str, str]


class _FewValues(Record):
    image_auroc: Share | None
    pixel_auroc: Share | None
    aupro: Share | None
    recall_at_fpr: Share | None
    false_alarm_rate: Share | None


class _FewRow(_FewValues):
    spread: _FewValues
    zero_shot: _FewValues


class _Judged(Record):
    normal: Count
    anomalous: Count


class _Draw(_FewValues):
    draw: Count
    judged: _Judged
    references: list[str]


class _FewClass(_FewRow):
    undefined: dict[str, str]
    draws: list[_Draw]


class _Shots(Record):
    mean: _FewRow
    classes: dict[str, _FewClass]


class _FewShot(Record):
    shots: dict[str, _Shots]


class Metrics(Record):
    """metrics.json of `evaluate`."""

    format: Format
    dataset: _Dataset
    mean: _Mean
    classes: Annotated[dict[str, OfClass], Field(min_length=1)]
    problems: list[_Problem]
    model: Detector | PerClass
    settings: Measured
    versions: dict[str, str]
    few_shot: _FewShot | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """Figures that follow from others do."""
        for name, one in self.classes.items():
            counts = one.counts
            if counts.images != counts.normal + counts.anomalous:
                raise ValueError(
                    f"{name} counts {counts.images} images, but {counts.normal} normal and "
                    f"{counts.anomalous} anomalous ones"
                )
            if max(counts.scored, counts.with_pixels, counts.problems) > counts.images:
                raise ValueError(f"{name} counts more images of a kind than it has, {counts.images}")
            if not counts.with_pixels and one.pixel_auroc is not None:
                raise ValueError(f"{name} has metrics of pixels, and counts no image with pixels")
        all_of = [one.counts for one in self.classes.values()]
        for what, told, found in (
            ("images", self.dataset.images, sum(one.images for one in all_of)),
            ("problems", len(self.problems), sum(one.problems for one in all_of)),
        ):
            if told != found:
                raise ValueError(f"it has {told} {what}, its classes count {found}")
        for metric in METRICS:
            values = [value for one in self.classes.values() if (value := getattr(one, metric)) is not None]
            mean, told = sum(values) / len(values) if values else None, getattr(self.mean, metric)
            if (mean is None) != (told is None) or (mean is not None and abs(mean - told) > _SAME):
                raise ValueError(f"the mean {metric} is {told}, that of its classes {mean}")
            if self.mean.classes_counted.get(metric) != len(values):
                raise ValueError(f"the mean {metric} counts not the {len(values)} classes that have it")
        return self


_PixelMetric = Annotated[str, AfterValidator(_one_of(PIXEL_METRICS))]


class Draws(Record):
    images: str
    seed: Count
    values: Annotated[dict[_PixelMetric, list[Share | None]], Field(min_length=1)]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        """Each draw has every metric."""
        if len({len(drawn) for drawn in self.values.values()}) > 1:
            raise ValueError("its metrics have different numbers of draws")
        return self


class Resamples(Record):
    """pixel_resamples.json of `evaluate`."""

    format: Format
    classes: dict[str, Draws]
