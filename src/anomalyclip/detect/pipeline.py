"""The stream: decode ahead in threads, predict in batches, finish and write behind in threads, results in input order.

All bookkeeping is done by the one thread that iterates; the threads only run single tasks. So memory is bounded by
construction: at most `2 * batch_size` images wait decoded, as the model's input, `2 * batch_size` views are in or
before the model and `batch_size + workers` images wait to be finished, whatever the number of inputs. An image in
several views is held in full (7 bytes per pixel) until its result is out; together such images take KEPT_BYTES at most,
or one image where that is larger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.result import Result
from anomalyclip.detect.stages import THUMBNAIL_SIDE as THUMBNAIL_SIDE
from anomalyclip.detect.stages import Finished as Finished
from anomalyclip.detect.stages import Job, Ready, Stages, reason
from anomalyclip.detect.stages import Rules as Rules
from anomalyclip.detect.stages import Sink as Sink
from anomalyclip.geometry import Areas, Geometry, View
from anomalyclip.io.reading import Reading
from anomalyclip.io.turns import Turns
from anomalyclip.judges.memory.comparing import Looked

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.detect.stages import Pixels
    from anomalyclip.detector import Detector
    from anomalyclip.io.untrusted import Untrusted

# Decoded originals kept between reading and drawing may take this much together; larger ones are read a second time.
KEPT_BYTES = 256 * 2**20


def detect_stream(
    model: Detector,
    items: Iterable[InputItem],
    *,
    batch_size: int = 8,
    workers: int = 2,
    reading: Reading | None = None,
    rules: Rules | None = None,
    sink: Sink | None = None,
    read: Callable[[InputItem], Image] | None = None,
    geometry: Geometry | None = None,
    areas: Areas | None = None,
    on_view: Callable[[int, int], object] | None = None,
    identify: bool = False,
    in_step: bool = False,
) -> Generator[Result, None, None]:
    """Detect on any number of images; yields one Result per item, in the order of `items`.

    An image that cannot be read, predicted or written gives a Result with `error` and the others go on. A batch the
    model fails on is tried again view by view, so that only the image at fault fails. Closing the iterator or an
    interrupt stops at once: waiting tasks are dropped, running ones are waited for, no thread stays behind.

    batch_size, workers: at least 1; `workers` threads decode and as many write. reading: see
    `anomalyclip.io.reading.Reading`; the axis is each item's. sink: see `Sink`. read: gives
    an item's RGB image where it is no file (a camera's frame); called from several threads, for large images twice;
    may raise ImageReadError.
    geometry: tiles, scales, proportions; None is one view of the whole image. areas: which pixels count.
    on_view: called with (views done, all views) of an image in several views.
    identify: results carry the identity of their files, which are read once more for it.
    in_step: a batch is judged when all before it are out, for a judge that learns from them.

    Raises ConfigError where the geometry needs input sizes that the model does not take.
    """
    geometry, areas = geometry or Geometry(), areas or Areas()
    model.check(geometry)
    stages = Stages(
        model,
        rules or Rules(),
        sink,
        read or file_reader(reading),
        KEPT_BYTES // (4 * batch_size + workers),
        geometry,
        areas,
        (0.0, 0.0) if areas.everything else model.peak,
        identify,
    )
    readers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-read")
    writers = ThreadPoolExecutor(workers, thread_name_prefix="anomalyclip-write")
    ahead = _Ahead(stages, iter(items), readers, batch_size)
    finishing: deque[tuple[Job, Future[Result]]] = deque()
    try:
        while True:
            ahead.fill()
            batch = ahead.take()
            if not batch and not finishing:
                break
            ahead.look_ahead()  # decoding and cutting go on while the model runs
            finishing.extend((job, _last_stage(stages, job, writers)) for job in _judge(stages, batch, on_view))
            most = 0 if in_step or not batch else batch_size + workers
            while finishing and (finishing[0][1].done() or len(finishing) > most):
                job, future = finishing.popleft()
                result = future.result()
                ahead.held -= job.bytes
                del job, future
                yield result
    finally:
        for pool in (readers, writers):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (readers, writers):
            pool.shutdown(wait=True)


def file_reader(reading: Reading | None = None) -> Callable[[InputItem], Image]:
    """Reads an item's file."""
    how = reading or Reading()
    return lambda item: replace(how, axis=item.axis).image(item.file, item.frame)


def untrusted_reader(files: Untrusted, reading: Reading | None = None) -> Callable[[InputItem], Image]:
    """The same, for files that may be hostile: see `anomalyclip.io.untrusted`."""
    how = reading or Reading()

    def read(item: InputItem) -> Image:
        keywords = replace(how, axis=item.axis).keywords()
        return how.agreed(files.read(item.file, path=item.file, frame=item.frame, **keywords), item.path)

    return read


@dataclass(frozen=True)
class _Task:
    """One view on its way into the model; a failed image passes through as a task without a view."""

    job: Job
    view: View | None = None
    pixels: Future[Pixels] | None = None


class _Ahead:
    """Inputs -> decoded images -> views, each a bounded number ahead of the model, in order.

    held: bytes of the images in several views that have been started and whose results are not out yet.
    """

    def __init__(
        self, stages: Stages, source: Iterator[InputItem], readers: ThreadPoolExecutor, batch_size: int
    ) -> None:
        self.held = 0
        self._stages, self._source, self._readers, self._batch_size = stages, source, readers, batch_size
        self._turns = Turns()
        self._waiting: deque[tuple[InputItem, Future[Ready]]] = deque()
        self._tasks: deque[_Task] = deque()
        self._cutting: tuple[Job, Iterator[View]] | None = None

    def fill(self) -> None:
        """Bring a batch of views together, waiting for images where need be."""
        self._read()
        while len(self._tasks) < self._batch_size and (self._cut_next() or self._start_next()):
            self._read()

    def take(self) -> list[_Task]:
        """The next views that fit into one forward pass: of one input size, `batch_size` at most."""
        batch: list[_Task] = []
        sizes = set()
        while self._tasks and len(batch) < self._batch_size:
            task = self._tasks[0]
            if task.view is not None:
                if task.job.failure is not None:
                    self._tasks.popleft()
                    continue
                sizes.add(task.view.size)
                if len(sizes) > 1:
                    break
            batch.append(self._tasks.popleft())
        return batch

    def look_ahead(self) -> None:
        """Start decoding, and cutting the image under way."""
        self._read()
        while len(self._tasks) < self._batch_size and self._cut_next():
            pass

    def _read(self) -> None:
        while len(self._waiting) < 2 * self._batch_size and (item := next(self._source, None)) is not None:
            self._waiting.append((item, self._readers.submit(self._turns.next(self._stages.read), item)))

    def _cut_next(self) -> bool:
        if self._cutting is None:
            return False
        job, views = self._cutting
        view = None if job.failure is not None else next(views, None)
        if view is None:
            self._cutting = None
            return False
        self._tasks.append(_Task(job, view, self._readers.submit(self._stages.cut, job, view)))
        return True

    def _start_next(self) -> bool:
        """The next image; False where there is none, or no memory for it until another one is finished."""
        if not self._waiting:
            return False
        item, future = self._waiting[0]
        try:
            job = self._stages.job(future.result())
        except Exception as error:
            job = Job(item, failure=Result(item, error=reason(error, item)))
        if self.held and job.bytes and self.held + job.bytes > KEPT_BYTES:
            return False
        self._waiting.popleft()
        self.held += job.bytes
        ready = job.ready
        if ready is None:
            self._tasks.append(_Task(job))
        elif job.several:
            # Submitted before the views that wait for it, so it runs before them even with one thread.
            job.image = self._readers.submit(self._stages.original, ready)
            self._cutting = job, iter(ready.views)
        else:
            assert ready.pixels is not None
            pixels: Future[Pixels] = Future()
            pixels.set_result(ready.pixels)
            self._tasks.append(_Task(job, ready.views[0], pixels))
        return True


def _judge(stages: Stages, batch: list[_Task], on_view: Callable[[int, int], object] | None) -> list[Job]:
    """Run the model on a batch; gives the jobs that ended with it, well or not, in order."""
    _forward(stages, [(task, pixels) for task in batch if (pixels := _pixels(task)) is not None])
    return [job for job in dict.fromkeys(task.job for task in batch) if _is_over(job, on_view)]


def _pixels(task: _Task) -> Pixels | None:
    try:
        return None if task.pixels is None else task.pixels.result()
    except Exception as error:  # of an image that is read a second time
        task.job.fail(reason(error, task.job.item))
        return None


def _forward(stages: Stages, pixels: list[tuple[_Task, Pixels]]) -> None:
    if not pixels:
        return
    try:
        outcomes = stages.predict([values for _, values in pixels])
    except Exception as error:
        if len(pixels) == 1:
            job = pixels[0][0].job
            job.fail(f"the model failed on this image: {reason(error, job.item)}")
            return
        for one in pixels:
            if one[0].job.failure is None:
                _forward(stages, [one])
        return
    for (task, _), outcome in zip(pixels, outcomes, strict=True):
        assert task.view is not None
        task.job.digest = outcome.digest
        task.job.outcomes.append((task.view, outcome.score, outcome.anomaly_map))
        if outcome.nearest is not None:
            task.job.looked.append(Looked(task.view, outcome.nearest))


def _is_over(job: Job, on_view: Callable[[int, int], object] | None) -> bool:
    """Assemble an image of several views as they come, so that their maps need not be held; others wait for `finish`.

    It is done here, in order, because sums of floats depend on it and views overlap.
    """
    if job.failure is not None or not job.several:
        return True
    try:
        over = job.absorb()
    except Exception as error:  # no memory for the map
        job.fail(reason(error, job.item))
        return True
    if on_view is not None:
        on_view(*job.progress)
    return over


def _last_stage(stages: Stages, job: Job, writers: ThreadPoolExecutor) -> Future[Result]:
    if job.failure is None:
        return writers.submit(stages.finish, job)
    settled: Future[Result] = Future()
    settled.set_result(job.failure)
    return settled
