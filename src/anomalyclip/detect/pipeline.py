"""The stream: decode ahead in threads, predict in batches, finish and write behind in threads, results in input order.

All bookkeeping is done by the one thread that iterates; the threads only run single tasks. So memory is bounded by
construction: at most `2 * batch_size` images wait decoded, `batch_size` are in the model and `batch_size + workers`
wait to be finished, whatever the number of inputs.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.regions import find_regions
from anomalyclip.detect.result import Result, Thumbnails, one_line
from anomalyclip.errors import AnomalyClipError, ImageReadError
from anomalyclip.io.names import printable
from anomalyclip.prediction import decide

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from PIL.Image import Image

    Map = npt.NDArray[np.float32]

THUMBNAIL_SIDE = 320  # pixels, longest side
# Decoded originals kept between reading and drawing may take this much together; larger ones are read a second time.
KEPT_BYTES = 256 * 2**20


class Detector(Protocol):
    """The part of `anomalyclip.model.AnomalyCLIP` the stream needs."""

    def preprocess(self, image: Image) -> torch.Tensor:
        """RGB image -> (3, S, S) float32."""

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, S, S) -> scores (B,), maps (B, S, S), both in [0, 1]."""


@dataclass(frozen=True)
class Finished:
    """One scored image as handed to the sink.

    result: everything but the thumbnails. thumbnail: RGB, longest side at most THUMBNAIL_SIDE.
    anomaly_map: (H, W) float32 in [0, 1] at the image's size.
    original: gives the full RGB image (kept, or read again when it is large); may raise ImageReadError.
    """

    result: Result
    thumbnail: Image
    anomaly_map: Map
    original: Callable[[], Image]


#: Writes the files of one image; called from several threads at once. May return thumbnails for the report.
Sink = Callable[[Finished], "Thumbnails | None"]


@dataclass(frozen=True)
class Rules:
    """How scores and maps become decisions and regions (see `decide` and `find_regions`)."""

    threshold: float | None = None
    pixel_threshold: float | None = None
    min_area: int = 1


@dataclass(frozen=True)
class _Ready:
    item: InputItem
    width: int
    height: int
    pixels: torch.Tensor
    thumbnail: Image
    kept: Image | None


def detect_stream(
    model: Detector,
    items: Iterable[InputItem],
    *,
    batch_size: int = 8,
    workers: int = 2,
    max_pixels: int | None = None,
    rules: Rules | None = None,
    sink: Sink | None = None,
    read: Callable[[InputItem], Image] | None = None,
) -> Generator[Result, None, None]:
    """Detect on any number of images; yields one Result per item, in the order of `items`.

    An image that cannot be read, predicted or written gives a Result with `error` and the others go on. A batch the
    model fails on is tried again image by image, so that only the image at fault fails. Closing the iterator or an
    interrupt stops at once: waiting tasks are dropped, running ones are waited for, no thread stays behind.

    batch_size, workers: at least 1; `workers` threads decode and as many write. max_pixels: larger images are refused
    (None: the default of `anomalyclip.io`). sink: see `Sink`. read: gives an item's RGB image where it is no file (a
    camera's frame); called from several threads, for large images twice; may raise ImageReadError.
    """
    keep_bytes = KEPT_BYTES // (4 * batch_size + workers)
    stages = _Stages(model, rules or Rules(), sink, read or _file_reader(max_pixels), keep_bytes)
    source = iter(items)
    waiting: deque[tuple[InputItem, Future[_Ready]]] = deque()
    finishing: deque[Future[Result]] = deque()
    readers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-read")
    writers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-write")
    try:
        while True:
            _read_ahead(waiting, source, readers, stages, 2 * batch_size)
            batch = [_collect(*waiting.popleft()) for _ in range(min(batch_size, len(waiting)))]
            if not batch:
                break
            _read_ahead(waiting, source, readers, stages, 2 * batch_size)  # decoding goes on while the model runs
            finishing.extend(stages.score(batch, writers))
            while finishing and (finishing[0].done() or len(finishing) > batch_size + workers):
                yield finishing.popleft().result()
        while finishing:
            yield finishing.popleft().result()
    finally:
        for pool in (readers, writers):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (readers, writers):
            pool.shutdown(wait=True)


def _file_reader(max_pixels: int | None) -> Callable[[InputItem], Image]:
    from anomalyclip.io import read_image

    options: dict[str, Any] = {} if max_pixels is None else {"max_pixels": max_pixels}
    return lambda item: read_image(item.path, **options)


def _read_ahead(
    waiting: deque[tuple[InputItem, Future[_Ready]]],
    source: Iterator[InputItem],
    readers: ThreadPoolExecutor,
    stages: _Stages,
    depth: int,
) -> None:
    while len(waiting) < depth and (item := next(source, None)) is not None:
        waiting.append((item, readers.submit(stages.read, item)))


def _collect(item: InputItem, future: Future[_Ready]) -> _Ready | Result:
    try:
        return future.result()
    except Exception as error:
        return Result(item, error=_reason(error, item))


def _reason(error: Exception, item: InputItem) -> str:
    """Our own messages stand alone, less the path that the row gives already; others say what kind of error it is."""
    if isinstance(error, AnomalyClipError):
        return one_line(error).removeprefix(f"{printable(item.path)}: ")
    return one_line(f"{type(error).__name__}: {error}")


def _settled(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


@dataclass(frozen=True)
class _Stages:
    """What happens to one image, stage by stage; stateless, so threads share it."""

    model: Detector
    rules: Rules
    sink: Sink | None
    open: Callable[[InputItem], Image]
    keep_bytes: int

    def read(self, item: InputItem) -> _Ready:
        if item.problem is not None:
            raise ImageReadError(item.problem)
        image = self.open(item)
        thumbnail = image.copy()
        thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
        kept = image if image.width * image.height * 3 <= self.keep_bytes else None
        return _Ready(item, image.width, image.height, self.model.preprocess(image), thumbnail, kept)

    def score(self, batch: list[_Ready | Result], writers: ThreadPoolExecutor) -> list[Future[Result]]:
        """Predict the readable images of a batch and hand every one on; failed ones pass through in their place."""
        outcomes = iter(self._predict([entry for entry in batch if isinstance(entry, _Ready)]))
        futures = []
        for entry in batch:
            outcome = entry if isinstance(entry, Result) else next(outcomes)
            if isinstance(outcome, Result):
                futures.append(_settled(outcome))
            elif isinstance(entry, _Ready):
                futures.append(writers.submit(self._finish, entry, *outcome))
        return futures

    def _predict(self, ready: list[_Ready]) -> list[tuple[float, Map] | Result]:
        if not ready:
            return []
        try:
            return list(self._forward(ready))
        except Exception as error:
            if len(ready) == 1:
                one = ready[0]
                return [self._failed(one, f"the model failed on this image: {_reason(error, one.item)}")]
        return [outcome for one in ready for outcome in self._predict([one])]

    def _forward(self, ready: list[_Ready]) -> Iterator[tuple[float, Map]]:
        import torch

        scores, maps = self.model.predict(torch.stack([entry.pixels for entry in ready]))
        return zip(scores.tolist(), maps.float().cpu().numpy(), strict=True)

    def _finish(self, entry: _Ready, score: float, small_map: Map) -> Result:
        if not math.isfinite(score):
            return self._failed(entry, f"the model gave the score {score}, which is not a number")
        from anomalyclip.model import resize_map

        result = Result(entry.item, entry.width, entry.height, score, decide(score, self.rules.threshold))
        if self.sink is None and self.rules.pixel_threshold is None:
            return result
        try:
            native = resize_map(small_map, (entry.width, entry.height))
            regions = find_regions(native, self.rules.pixel_threshold, min_area=self.rules.min_area)
            result = replace(result, regions=regions)
            if self.sink is None:
                return result
            finished = Finished(result, entry.thumbnail, native, lambda: self._original(entry))
            return replace(result, thumbnails=self.sink(finished))
        except Exception as error:  # the score is kept: only its files are missing
            return replace(result, error=_reason(error, entry.item))

    def _original(self, entry: _Ready) -> Image:
        image = entry.kept or self.open(entry.item)
        if image.size != (entry.width, entry.height):
            raise ImageReadError(f"{entry.item.path}: changed while it was being read; run again on it.")
        return image

    def _failed(self, entry: _Ready, reason: str) -> Result:
        return Result(entry.item, entry.width, entry.height, error=one_line(reason))
