"""Dynamic micro-batching: one thread runs the model on whatever waits, up to a size, after at most a short wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import numpy.typing as npt

    Outcome = Any  # (score, map), or what the `predict` of a list gave for the image
    Pixels = npt.NDArray[Any]
    Floats = npt.NDArray[np.float32]
    Predict = Callable[[Pixels], tuple[Floats, Floats] | list[Any]]


@dataclass(frozen=True)
class _Job:
    pixels: Pixels
    predict: Predict
    future: Future[Outcome] = field(default_factory=Future)


class Batcher:
    """Collects single images into forward passes.

    predict: (B, 3, S, S) -> scores (B,), maps (B, S, S); or a list of B outcomes of any kind. batch_size: images per
    pass. batch_wait: seconds that the first image of a pass waits for others; under load none waits, since the queue is
    full already.
    on_batch(size, seconds): called after each pass, on the model's thread.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        batch_size: int,
        batch_wait: float,
        on_batch: Callable[[int, float], object] = lambda size, seconds: None,
    ) -> None:
        self._predict, self._size, self._wait, self._on_batch = predict, batch_size, batch_wait, on_batch
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._seconds = 0.1  # per image, smoothed
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="anomalyclip-model", daemon=True)
        self._thread.start()

    @property
    def seconds_per_image(self) -> float:
        """What the model lately took, smoothed over about ten passes."""
        return self._seconds

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, pixels: Pixels, predict: Predict | None = None) -> Future[Outcome]:
        """(3, S, S) -> a future of (score, (S, S) float32 map). Cancelling it before its pass saves the work.

        predict: in place of the batcher's own; it runs on the same thread, and only images of one,
        and of one size, share a pass.
        """
        job = _Job(pixels, predict or self._predict)
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            live = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if live:
                start = time.monotonic()
                for kind in dict.fromkeys(map(_kind, live)):
                    self._answer([job for job in live if _kind(job) == kind])
                seconds = time.monotonic() - start
                self._seconds += 0.1 * (seconds / len(live) - self._seconds)
                self._on_batch(len(live), seconds)

    def _next_batch(self) -> list[_Job]:
        """At least one job; none at the end."""
        first = None if self._closing else self._jobs.get()
        if first is None:
            return []
        batch, deadline = [first], time.monotonic() + self._wait
        while len(batch) < self._size:
            try:
                job = self._jobs.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                self._closing = True
                break
            batch.append(job)
        return batch

    def _answer(self, jobs: Sequence[_Job]) -> None:
        """A pass that fails is tried again image by image, so that only the image at fault fails."""
        import numpy as np

        try:
            outcomes = _each(jobs[0].predict(np.stack([job.pixels for job in jobs])))
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
            else:
                for job in jobs:
                    self._answer([job])
            return
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.future.set_result(outcome)


def _kind(job: _Job) -> tuple[Predict, tuple[int, ...]]:
    """Jobs of one kind may share a pass."""
    return job.predict, job.pixels.shape


def _each(found: tuple[Floats, Floats] | list[Any]) -> list[Outcome]:
    if isinstance(found, list):
        return found
    scores, maps = found
    return list(zip(scores.tolist(), maps, strict=True))
