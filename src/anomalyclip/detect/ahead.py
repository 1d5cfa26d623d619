"""What a stream does before the model: inputs become images, images become views, each a bounded number ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.result import Result
from anomalyclip.detect.stages import Job, Ready, Stages, reason
from anomalyclip.geometry import View
from anomalyclip.io.turns import Turns

if TYPE_CHECKING:
    from anomalyclip.detect.stages import Pixels


@dataclass(frozen=True)
class Task:
    """One view on its way into the model; a failed image passes through as a task without a view."""

    job: Job
    view: View | None = None
    pixels: Future[Pixels] | None = None


class Ahead:
    """Inputs -> decoded images -> views, each a bounded number ahead of the model, in order.

    held: bytes of the images in several views that have been started and whose results are not out yet; they wait for
    each other where it would be more than the budget.
    """

    def __init__(
        self, stages: Stages, source: Iterator[InputItem], readers: ThreadPoolExecutor, batch_size: int, budget: int
    ) -> None:
        self.held, self._budget = 0, budget
        self._stages, self._source, self._readers, self._batch_size = stages, source, readers, batch_size
        self._turns = Turns()
        self._waiting: deque[tuple[InputItem, Future[Ready]]] = deque()
        self._tasks: deque[Task] = deque()
        self._cutting: tuple[Job, Iterator[View]] | None = None

    def fill(self) -> None:
        """Bring a batch of views together, waiting for images where need be."""
        self._read()
        while len(self._tasks) < self._batch_size and (self._cut_next() or self._start_next()):
            self._read()

    def take(self) -> list[Task]:
        """The next views that fit into one forward pass: of one input size, `batch_size` at most."""
        batch: list[Task] = []
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
        self._tasks.append(Task(job, view, self._readers.submit(self._stages.cut, job, view)))
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
        if self.held and job.bytes and self.held + job.bytes > self._budget:
            return False
        self._waiting.popleft()
        self.held += job.bytes
        ready = job.ready
        if ready is None:
            self._tasks.append(Task(job))
        elif job.several:
            # Submitted before the views that wait for it, so it runs before them even with one thread.
            job.image = self._readers.submit(self._stages.original, ready)
            self._cutting = job, iter(ready.views)
        else:
            assert ready.pixels is not None
            pixels: Future[Pixels] = Future()
            pixels.set_result(ready.pixels)
            self._tasks.append(Task(job, ready.views[0], pixels))
        return True
