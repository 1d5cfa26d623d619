"""`evaluate`: class by class through the stream, one collector at a time, then the class's numbers."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from anomalyclip.by_class import model_for, provenance_of
from anomalyclip.data.dataset import ANOMALOUS, NORMAL, Dataset
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation.curves import PixelCurve
from anomalyclip.evaluation.predictor import CacheSettings, Predictor, laid_out, recorded
from anomalyclip.evaluation.result import (
    DECISIONS,
    IMAGE_METRICS,
    METRICS,
    PIXEL_METRICS,
    ClassResult,
    Counts,
    Evaluation,
    ImageRow,
    PixelResamples,
)
from anomalyclip.evaluation.settings import LEVEL, EvaluationSettings
from anomalyclip.evaluation.stream import measure_items
from anomalyclip.metrics import PixelMetrics, auroc, average_precision, bootstrap_interval, f1_max
from anomalyclip.metrics.resampling import MOST_DRAWS, PixelDraws
from anomalyclip.notebook import progress
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from anomalyclip.by_class import Models
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

_BATCH = {"cpu": 1}  # larger batches do not help a CPU and cost memory
_BATCH_ELSEWHERE = 8
_DIGITS = 7  # of a resample's value
_LIBRARIES = ("torch", "numpy", "pillow", "opencv-python-headless")
_BY_IMAGE = dict(zip(IMAGE_METRICS, (auroc, average_precision, f1_max), strict=True))
_WITH_INTERVAL = ("image_auroc", "image_ap")


def evaluate(
    models: Models,
    dataset: Dataset,
    *,
    settings: EvaluationSettings | None = None,
    batch_size: int | None = None,
    workers: int = 2,
    reading: Reading | None = None,
    frames: int | None = None,
    cache: CacheSettings | None = None,
    geometry: Geometry | None = None,
    areas: Areas | None = None,
    done: Mapping[str, ClassResult] | None = None,
    predictor_of: Callable[[Detector], Predictor] | None = None,
    on_image: Callable[[ImageRow], object] | None = None,
    on_class: Callable[[ClassResult], object] | None = None,
) -> Evaluation:
    """Score labelled images and compute the paper's metrics per class (METHOD section 7).

    Memory holds one row per image (a few hundred bytes), the images of a few batches and one class's collector of
    pixels (a few megabytes, or every pixel of the class with `exact_pixels`).

    Args:
        models: a model; one per class name (a mapping); or what knows the one of a class (`ByClass`).
        dataset: what to score, from `anomalyclip.data.open_dataset`.
        settings: see `EvaluationSettings`; None takes its defaults.
        batch_size: images per forward pass; None: 1 on a CPU, 8 elsewhere.
        workers: threads that read images, and as many that compare maps with masks.
        reading: how images are read, see :class:`anomalyclip.io.reading.Reading`; None takes its defaults.
        frames: pictures taken of a file of several; None is all up to the limit of `anomalyclip.io.frames`.
        cache: keep the encoder's features and use those that are there: judging the same images by other prompts then
            runs no encoder. None encodes every image.
        geometry, areas: tiles, scales and proportions of every image, and which of its pixels count: those outside the
            area are neither fed to the model nor measured. Masks are still compared at S x S, or at the image's own
            size with resolution "native".
        done: results of classes that were evaluated before, which are taken over as they are.
        predictor_of: makes what judges the images of a model; None is a `Predictor` with this cache and layout.
        on_image, on_class: called after each image and each finished class, in order.

    Raises:
        InputError: the data set is empty.
        ConfigError: a number outside its range, or no model for a class.
        OutputError: the cache cannot be written.

    A file that cannot be read, a mask that contradicts its image and a score that is no number are told in the image's
    row (`Evaluation.problems`), and the metrics are those of the rest.
    """
    settings = settings or EvaluationSettings()
    if not dataset.items:
        raise InputError(f"the {dataset.split} split of {dataset.name} holds no image; nothing to evaluate")
    if workers < 1 or (batch_size is not None and batch_size < 1):
        raise ConfigError(f"workers and batch_size must be 1 or more, got {workers} and {batch_size}")
    options = {"workers": workers, "reading": reading, "frames": frames}
    left = sum(len(dataset.of_class(name)) for name in dataset.classes if name not in (done or {}))
    results = []
    with progress("evaluate", left) as advance:
        for name in dataset.classes:
            result = (done or {}).get(name)
            if result is None:
                model = model_for(models, name)
                chosen = batch_size or _BATCH.get(model.device, _BATCH_ELSEWHERE)
                if predictor_of is None:
                    predictor = Predictor(model, cache, geometry, areas, reading)
                else:
                    predictor = predictor_of(model)
                heard = _both(advance, on_image)
                result = _evaluate_class(predictor, dataset, name, settings, heard, batch_size=chosen, **options)
                if on_class is not None:
                    on_class(result)
            results.append(result)
    told = settings.recorded() | recorded(cache) | laid_out(geometry, areas, reading)
    return Evaluation(_describe(dataset), tuple(results), provenance_of(models), told, library_versions())


def _both(advance: Callable[[], object], on_image: Callable[[ImageRow], object] | None) -> Callable[[ImageRow], object]:
    def hear(row: ImageRow) -> None:
        advance()
        if on_image is not None:
            on_image(row)

    return hear


def _evaluate_class(
    predictor: Predictor,
    dataset: Dataset,
    name: str,
    settings: EvaluationSettings,
    on_image: Callable[[ImageRow], object],
    **options: Any,
) -> ClassResult:
    pixels, compared, rows = settings.pixel_metrics(), 0, []
    draws = PixelDraws(min(settings.resamples, MOST_DRAWS), settings.seed, settings.fpr_limit)
    with closing(measure_items(predictor, dataset.of_class(name), dataset.root, settings, **options)) as stream:
        for measured in stream:
            rows.append(measured.row)
            if measured.pixels is not None:
                draws.add(measured.row.image, measured.pixels)
                pixels.merge(measured.pixels)
                compared += 1
            on_image(measured.row)
    return replace(summarise(name, rows, pixels, compared, settings), resamples=_resamples(draws, pixels))


def _resamples(draws: PixelDraws, pixels: PixelMetrics) -> PixelResamples | None:
    if not draws.names or pixels.undefined_reason() is not None:
        return None
    values = {
        name: tuple(round(value, _DIGITS) if math.isfinite(value) else None for value in drawn.tolist())
        for name, drawn in draws.compute().items()
    }
    return PixelResamples(draws.digest(), draws.seed, values)


def summarise(
    name: str, rows: Sequence[ImageRow], pixels: PixelMetrics, compared: int, settings: EvaluationSettings
) -> ClassResult:
    """A class's numbers from its rows and the pixels of `compared` images."""
    scored = [row for row in rows if row.score is not None]
    labels = [row.label for row in scored]
    values: dict[str, float | None] = dict.fromkeys(METRICS)
    undefined: dict[str, str] = {}
    intervals: dict[str, tuple[float, float]] = {}
    if (why := _no_image_metric(labels)) is None:
        scores = [row.score for row in scored if row.score is not None]
        values |= {metric: compute(scores, labels) for metric, compute in _BY_IMAGE.items()}
        intervals = _intervals(scores, labels, settings)
    else:
        undefined |= dict.fromkeys(IMAGE_METRICS, why)
    curve, bounds = None, {}
    if (why := _no_pixel_metric(pixels, compared)) is None:
        curve = PixelCurve.of(pixels.ranking())
        bounds = {metric: bound for metric, bound in pixels.error_bounds().items() if math.isfinite(bound)}
        values |= {metric: value for metric, value in pixels.compute().items() if math.isfinite(value)}
    else:
        undefined |= dict.fromkeys(PIXEL_METRICS, why)
    counts = Counts(
        images=len(rows),
        normal=sum(row.label == NORMAL for row in rows),
        anomalous=sum(row.label == ANOMALOUS for row in rows),
        scored=len(scored),
        with_pixels=compared,
        problems=sum(row.problem is not None for row in rows),
    )
    decisions = _decisions(scored, settings.threshold)
    return ClassResult(name, values, undefined, intervals, counts, tuple(rows), curve, bounds, decisions)


def _decisions(scored: Sequence[ImageRow], threshold: float | None) -> dict[str, float | None]:
    """DECISIONS at a threshold; nothing without one."""
    if threshold is None:
        return {}
    found: dict[str, float | None] = {}
    for metric, label in zip(DECISIONS, (ANOMALOUS, NORMAL), strict=True):
        called = [row.score is not None and row.score >= threshold for row in scored if row.label == label]
        found[metric] = sum(called) / len(called) if called else None
    return found


def _no_image_metric(labels: Sequence[int]) -> str | None:
    if not labels:
        return "no image could be scored"
    missing = {NORMAL: "normal", ANOMALOUS: "anomalous"}.keys() - set(labels)
    return f"there are no {'normal' if NORMAL in missing else 'anomalous'} images with a score" if missing else None


def _no_pixel_metric(pixels: PixelMetrics, compared: int) -> str | None:
    if not compared:
        return "no image has a mask that can be used"
    why = pixels.undefined_reason()
    return why.replace("samples", "pixels") if why else None


def _intervals(
    scores: Sequence[float], labels: Sequence[int], settings: EvaluationSettings
) -> dict[str, tuple[float, float]]:
    if not settings.resamples:
        return {}
    found = {}
    for name in _WITH_INTERVAL:
        interval = bootstrap_interval(
            _BY_IMAGE[name], scores, labels, settings.resamples, seed=settings.seed, level=LEVEL
        )
        found[name] = (interval.low, interval.high)
    return found


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "root": str(dataset.root),
        "split": dataset.split,
        "images": len(dataset.items),
        "problems": list(dataset.problems),
    }


def library_versions() -> dict[str, str]:
    """Of everything that has a part in the numbers."""
    found = {"anomalyclip": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):  # OpenCV comes under several names
            found[name] = version(name)
    return found
