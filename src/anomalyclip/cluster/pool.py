"""The driver's side: workers that come and go, blocks handed out two at a time, and a dead worker's blocks again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from anomalyclip.cluster.worker import Plan, Receipt, Worker
from anomalyclip.detect import Provenance
from anomalyclip.errors import AnomalyClipError, ConfigError

#: One block under work and one waiting, so that no worker idles while the driver looks the other way.
IN_HAND = 2
#: Deaths of workers after which a block is scored image by image.
DEATHS = 2
#: Workers that may die in a row while loading the model before the run gives up.
STILLBORN = 5


class Job(NamedTuple):
    """A block to score, or other work with an `index`. retry: its file is there, and the rows with an error are to be
    scored again."""

    block: Any
    retry: bool = False


@dataclass
class _Hand:
    """One worker. work: what it has, in the order in which it does it."""

    actor: Any
    work: deque[tuple[Any, Job]] = field(default_factory=deque)


class Pool:
    """Keeps `size` workers wanted and the living ones busy.

    Ray restarts nothing here (`max_restarts=0`): with its restarts, the blocks of a dead worker wait until that worker
    finds a place again; here they go to the next living one at once, and a new worker is asked for beside.

    ray: the module, connected. resources: options of the actors, such as num_cpus. progress: called about once a second
    with (workers ready, workers wanted). worker: the actor's class.

    Raises what a worker raises that is no loss of the worker: OutputError, ConfigError, WeightsError ...
    """

    def __init__(
        self,
        ray: Any,
        plan: Plan,
        size: int,
        resources: dict[str, Any],
        progress: Callable[[int, int], object],
        worker: type[Worker] = Worker,
    ) -> None:
        self._ray, self._plan, self._progress = ray, plan, progress
        self._actor_class = ray.remote(worker)
        self._options = {"max_restarts": 0, "max_task_retries": 0, **resources}
        self._starting: dict[Any, Any] = {}
        self._hands: list[_Hand] = []
        self._again: deque[Job] = deque()
        self._deaths: Counter[Hashable] = Counter()
        self._stillborn = 0
        self.lost = 0
        self.provenance: Provenance | None = None
        for _ in range(size):
            self._start_one()

    def wait_for_one(self) -> Provenance:
        """Block until a worker is ready; gives what its rows record."""
        while self.provenance is None:
            self._wait()
        return self.provenance

    def run(self, jobs: Iterator[Job]) -> Iterator[Receipt]:
        """Score every job; receipts in the order in which blocks finish. Memory: IN_HAND blocks per worker."""
        while True:
            more = self._hand_out(jobs)
            if not more and not any(hand.work for hand in self._hands):
                return
            yield from self._wait()

    def close(self) -> None:
        """Stop all workers at once; files under way were never visible."""
        for actor in (*self._starting.values(), *(hand.actor for hand in self._hands)):
            self._ray.kill(actor)
        self._starting, self._hands = {}, []

    def _hand_out(self, jobs: Iterator[Job]) -> bool:
        """Whether there may be more to hand out. The least busy come first, so that the last blocks spread out."""
        for depth in range(IN_HAND):
            for hand in self._hands:
                if len(hand.work) == depth:
                    job = self._again.popleft() if self._again else next(jobs, None)
                    if job is None:
                        return False
                    self._give(hand, job)
        return True

    def _give(self, hand: _Hand, job: Job) -> None:
        careful = self._deaths[job.block.index] >= DEATHS
        hand.work.append((hand.actor.score.remote(job.block, careful=careful, retry=job.retry), job))

    def _wait(self) -> list[Receipt]:
        """What finishes within a second."""
        pending = [*self._starting, *(hand.work[0][0] for hand in self._hands if hand.work)]
        ready, _ = self._ray.wait(pending, num_returns=len(pending), timeout=0) if pending else ([], [])
        if pending and not ready:
            ready, _ = self._ray.wait(pending, num_returns=1, timeout=1.0)
        receipts = []
        for ref in ready:
            if ref in self._starting:
                self._started(ref)
            else:
                receipts += self._finished(next(h for h in self._hands if h.work and h.work[0][0] == ref))
        self._progress(len(self._hands), len(self._hands) + len(self._starting))
        return receipts

    def _started(self, ref: Any) -> None:
        actor = self._starting.pop(ref)
        try:
            provenance = self._outcome(ref)
        except _Lost as loss:
            self._stillborn += 1
            if self._stillborn >= STILLBORN:
                raise ConfigError(
                    f"{STILLBORN} workers in a row died while loading the model ({loss}); is there memory for it on "
                    "every node, and the same anomalyclip?"
                ) from loss
            self._start_one()
            return
        self._stillborn = 0
        if self.provenance is not None and provenance != self.provenance:
            raise ConfigError(
                "two workers loaded different models by the same names: the nodes' files, versions or devices differ. "
                "Give every node the same image and files"
            )
        self.provenance = provenance
        self._hands.append(_Hand(actor))

    def _finished(self, hand: _Hand) -> list[Receipt]:
        ref, _ = hand.work[0]
        try:
            receipt: Receipt = self._outcome(ref)
        except _Lost:
            self._bury(hand)
            return []
        hand.work.popleft()
        return [receipt]

    def _bury(self, hand: _Hand) -> None:
        """Its blocks go first, in order; the one it was at is the suspect. Should it live on somewhere, cut off, it can
        only write the same file again."""
        self.lost += 1
        self._hands.remove(hand)
        self._ray.kill(hand.actor)
        self._deaths[hand.work[0][1].block.index] += 1
        self._again.extendleft(job for _, job in reversed(hand.work))
        self._start_one()

    def _start_one(self) -> None:
        actor = self._actor_class.options(**self._options).remote(self._plan)
        self._starting[actor.start.remote()] = actor

    def _outcome(self, ref: Any) -> Any:
        """Raises _Lost where the worker is gone, and the worker's own error where it raised one."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, BaseException) else error
            raise (cause if isinstance(cause, AnomalyClipError) else error) from None
        except errors.RayError as error:
            raise _Lost(" ".join(str(error).split())[:300]) from error


class _Lost(Exception):  # noqa: N818 - what happened to a worker, not a bug
    """The worker or its node is gone."""
