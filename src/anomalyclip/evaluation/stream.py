"""The images of one class: decoded ahead in threads, predicted in batches, measured in threads; results in order.

Every queue is bounded, so memory does not depend on the number of images.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from anomalyclip.data.dataset import ANOMALOUS, Item
from anomalyclip.data.pictures import pictures_of, relative_name, with_own_mask
from anomalyclip.errors import AnomalyClipError, OutputError
from anomalyclip.evaluation.predictor import Loaded, Predictor
from anomalyclip.evaluation.result import ImageRow
from anomalyclip.evaluation.settings import EvaluationSettings
from anomalyclip.evaluation.truth import Size, counted_pixels, read_truth
from anomalyclip.io.frames import frame_path
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.turns import Turns
from anomalyclip.metrics import PixelMetrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = NDArray[np.float32]

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Measured:
    """One image's row and, where its pixels could be compared, their metrics, ready to be merged."""

    row: ImageRow
    pixels: PixelMetrics | None = None


@dataclass(frozen=True)
class _Loaded:
    row: ImageRow
    size: Size = (0, 0)
    input: Loaded | None = None  # None: the image could not be read
    truth: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class _Predicted:
    loaded: _Loaded
    score: float
    anomaly_map: Map | None  # None: nothing was predicted


def measure_items(
    predictor: Predictor,
    items: Iterable[Item],
    root: Path,
    settings: EvaluationSettings,
    *,
    batch_size: int,
    workers: int,
    reading: Reading | None = None,
    frames: int | None = None,
) -> Generator[Measured, None, None]:
    """Yield one result per item, in order. Whatever fails for one image is told in its row, and the others go on.

    batch_size, workers: at least 1; `workers` threads read and as many measure. frames: pictures taken of a file of
    several, None is all; each has its row. reading: how, None is the reader's defaults.
    """
    reading = reading or Reading()
    items = pictures_of(items, frames, reading)
    stages = _Stages(predictor, root, settings, reading)
    readers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-read")
    measurers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-measure")
    try:
        loaded = _ahead(readers, stages.load, items, 2 * batch_size)
        yield from _ahead(measurers, stages.measure, stages.predict(loaded, batch_size), batch_size + workers)
    finally:
        for pool in (readers, measurers):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (readers, measurers):
            pool.shutdown(wait=True)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[In], Out], source: Iterable[In], depth: int) -> Iterator[Out]:
    """`map(work, source)` in threads, in order, at most `depth` items ahead of who asks."""
    waiting: deque[Future[Out]] = deque()
    turns = Turns()
    for item in source:
        waiting.append(pool.submit(turns.next(work), item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass(frozen=True)
class _Stages:
    """What happens to one image, stage by stage; stateless, so threads share it."""

    predictor: Predictor
    root: Path
    settings: EvaluationSettings
    reading: Reading

    def load(self, item: Item) -> _Loaded:
        name = relative_name(item.image, self.root)
        name = name if item.frame is None else frame_path(name, item.frame)
        row = ImageRow(name, item.class_name, item.kind, item.label)
        try:
            image = self.reading.image(item.image, item.frame)
            given = self.predictor.load(item.image, image, item.frame)
        except Exception as error:
            return _Loaded(replace(row, problem=reason(error, item.image)))
        side = self.predictor.model.settings.image_size if self.settings.resolution == "model" else None
        try:
            truth, doubt = read_truth(with_own_mask(item), image.size, side, max_pixels=self.reading.max_pixels)
        except Exception as error:
            return _Loaded(replace(row, problem=reason(error, item.image)), image.size, given)
        return _Loaded(row if doubt is None else _with_problem(row, doubt), image.size, given, truth)

    def predict(self, loaded: Iterable[_Loaded], batch_size: int) -> Iterator[_Predicted]:
        source = iter(loaded)
        while batch := [entry for _, entry in zip(range(batch_size), source, strict=False)]:
            outcomes = iter(self._forward([entry for entry in batch if entry.input is not None]))
            yield from (_Predicted(entry, 0.0, None) if entry.input is None else next(outcomes) for entry in batch)

    def _forward(self, batch: Sequence[_Loaded]) -> list[_Predicted]:
        """A batch the model fails on is tried again image by image, so that only the image at fault fails."""
        if not batch:
            return []
        try:
            scores, maps = self.predictor.predict([entry.input for entry in batch if entry.input is not None])
            return [_Predicted(*each) for each in zip(batch, scores.tolist(), maps, strict=True)]
        except OutputError:  # the cache's disk is full: no image is at fault
            raise
        except Exception as error:
            if len(batch) == 1:
                problem = f"the model failed on this image: {reason(error)}"
                return [_Predicted(replace(batch[0], row=_with_problem(batch[0].row, problem)), 0.0, None)]
        return [outcome for entry in batch for outcome in self._forward([entry])]

    def measure(self, predicted: _Predicted) -> Measured:
        loaded, row = predicted.loaded, predicted.loaded.row
        if predicted.anomaly_map is None:
            return Measured(row)
        if math.isfinite(predicted.score):
            row = replace(row, score=predicted.score)
        else:
            row = _with_problem(row, f"the model gave the score {predicted.score}, which is not a number")
        if loaded.truth is None:
            return Measured(row)
        truth = loaded.truth
        try:
            area = None if loaded.input is None else loaded.input.area
            counted = counted_pixels(area, truth)
            return self._compare(row, self._at_truth(predicted.anomaly_map, truth), truth, counted)
        except Exception as error:
            return Measured(_with_problem(row, f"its pixels were left out: {reason(error)}"))

    def _at_truth(self, anomaly_map: Map, truth: NDArray[np.bool_]) -> Map:
        """At the mask's size: the model's own, or the image's."""
        from anomalyclip.geometry.resize import resize_map

        return anomaly_map if anomaly_map.shape == truth.shape else resize_map(anomaly_map, truth.shape[::-1])

    def _compare(
        self, row: ImageRow, anomaly_map: Map, truth: NDArray[np.bool_], counted: NDArray[np.bool_] | None
    ) -> Measured:
        pixels = self.settings.pixel_metrics()
        pixels.update(anomaly_map, truth, counted)
        if row.label != ANOMALOUS or pixels.undefined_reason() is not None:
            return Measured(row, pixels)
        own = pixels.compute()
        row = replace(row, pixel_auroc=own["pixel_auroc"], pixel_ap=own["pixel_ap"], aupro=own["aupro"])
        return Measured(row, pixels)


def reason(error: Exception, path: Path | None = None) -> str:
    """One line; our own messages stand alone, less the path that the row gives already."""
    text = " ".join(str(error).split())
    if isinstance(error, AnomalyClipError):
        return text.removeprefix(f"{printable(path)}: ") if path is not None else text
    return f"{type(error).__name__}: {text}"


def _with_problem(row: ImageRow, problem: str) -> ImageRow:
    return replace(row, problem=problem if row.problem is None else f"{row.problem}; {problem}")
