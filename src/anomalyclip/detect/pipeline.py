"""The stream: decode ahead in threads, predict in batches, finish and write behind in threads, results in input order.

All bookkeeping is done by the one thread that iterates; the threads only run single tasks. So memory is bounded by
construction: at most `2 * batch_size` images wait decoded, as the model's input, `2 * batch_size` views are in or
before the model (a batch more where it works on the next while one is judged) and `batch_size + workers` images wait to
be finished, whatever the number of inputs. An image in several views is held in full (7 bytes per pixel) until its
result is out; together such images take KEPT_BYTES at most, or one image where that is larger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from anomalyclip.detect.ahead import Ahead, Task
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.result import Result
from anomalyclip.detect.stages import THUMBNAIL_SIDE as THUMBNAIL_SIDE
from anomalyclip.detect.stages import Finished as Finished
from anomalyclip.detect.stages import Job, Stages, reason
from anomalyclip.detect.stages import Rules as Rules
from anomalyclip.detect.stages import Sink as Sink
from anomalyclip.errors import OutputError
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.io.reading import Reading
from anomalyclip.judges.memory.comparing import Looked

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.detect.outcomes import Outcome
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
    ahead = Ahead(stages, iter(items), readers, batch_size, KEPT_BYTES)
    underway: deque[_Run] = deque()
    depth = 1 if model.ahead and not in_step else 0
    finishing: deque[tuple[Job, Future[Result]]] = deque()
    try:
        while True:
            ahead.fill()
            batch = ahead.take()
            if not batch and not underway and not finishing:
                break
            if batch:
                underway.append(_begin(stages, batch, ahead=depth > 0))
            ahead.look_ahead()  # decoding and cutting go on while the model runs
            if underway and (len(underway) > depth or not batch):
                over = _judge(stages, underway.popleft(), on_view)
                finishing.extend((job, _last_stage(stages, job, writers)) for job in over)
            most = batch_size + workers if (batch or underway) and not in_step else 0
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
class _Run:
    """A batch that the model was given. `wait` gives the outcomes of `pixels`, or raises."""

    batch: list[Task]
    pixels: list[tuple[Task, Pixels]]
    wait: Callable[[], list[Outcome]]


def _begin(stages: Stages, batch: list[Task], *, ahead: bool) -> _Run:
    pixels = [(task, values) for task in batch if (values := _pixels(task)) is not None]
    given = [values for _, values in pixels]
    wait: Callable[[], list[Outcome]] = partial(stages.predict, given)
    if ahead and pixels:
        with suppress(Exception):  # it will be told when the batch's turn comes
            wait = stages.begin(given)
    return _Run(batch, pixels, wait)


def _judge(stages: Stages, run: _Run, on_view: Callable[[int, int], object] | None) -> list[Job]:
    """Wait for the model's batch; gives the jobs that ended with it, well or not, in order."""
    _take(stages, run.pixels, run.wait)
    jobs = [job for job in dict.fromkeys(task.job for task in run.batch) if not job.over and _is_over(job, on_view)]
    for job in jobs:
        job.over = True
    return jobs


def _pixels(task: Task) -> Pixels | None:
    try:
        return None if task.pixels is None else task.pixels.result()
    except Exception as error:  # of an image that is read a second time
        task.job.fail(reason(error, task.job.item))
        return None


def _take(stages: Stages, pixels: list[tuple[Task, Pixels]], wait: Callable[[], list[Outcome]]) -> None:
    if not pixels:
        return
    try:
        outcomes = wait()
    except OutputError:  # what it keeps on the way finds no room: no image is at fault
        raise
    except Exception as error:
        if len(pixels) == 1:
            job = pixels[0][0].job
            job.fail(f"the model failed on this image: {reason(error, job.item)}")
            return
        for one in pixels:
            if one[0].job.failure is None:
                _take(stages, [one], partial(stages.predict, [one[1]]))
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
