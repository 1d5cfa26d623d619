"""Mutual distances of a batch of any size: which pictures are compared, in how much memory, and what is kept.

Each pair's matrix of products is made once and serves both directions: its row maxima belong to one picture, its column
maxima to the other. Of a patch only one number a partner is kept, its distance to the nearest patch there.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.mutual_nearest import Comparing, Picture, Shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Load = Callable[[int], "Floats"]
"""Unit vectors (N_i, D) of the patches of picture i."""

PARTNERS = 48
"""Other pictures that each one is compared with, at most: beyond, the ranking hardly changes (docs/mutual.md)."""
BUDGET = 512 * 2**20
"""Bytes that patches and distances may take together."""
_SEED = 0


def ring(n: int, partners: int = PARTNERS) -> tuple[int, ...]:
    """Steps o so that picture i is compared with i + o and i - o, counted round the batch.

    All pairs while n - 1 <= partners; else partners // 2 steps drawn with a fixed seed, so that every picture has as
    many partners and each pair serves both. Pictures must stand in an order that has nothing to do with what they show.

    >>> ring(5), len(ring(1000, 48))
    ((1, 2), 24)
    """
    every = range(1, n // 2 + 1)
    if n - 1 <= max(partners, 2):
        return tuple(every)
    steps = np.random.default_rng(_SEED).permutation(np.arange(1, (n - 1) // 2 + 1))[: max(1, partners // 2)]
    return tuple(sorted(steps.tolist()))


def pairs_of(n: int, partners: int = PARTNERS) -> int:
    """How many pairs of n pictures are compared; each serves both."""
    steps = ring(n, partners)
    return n * len(steps) - (n // 2 if steps and 2 * steps[-1] == n else 0)


def _pairs(n: int, steps: Sequence[int], block: int) -> Iterator[tuple[int, int, int, int]]:
    """(i, j, column of i, column of j), by blocks of neighbouring pictures so that few are needed at a time."""
    for start in range(0, n, block):
        for number in range(len(steps)):
            for i in range(start, min(start + block, n)):
                if (pair := _pair(n, i, number, steps)) is not None:
                    yield pair


def _pair(n: int, i: int, number: int, steps: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Picture i and the one that step `number` leads to; None where the other one's step is the same pair."""
    step = steps[number]
    if 2 * step != n:
        return i, (i + step) % n, 2 * number, 2 * number + 1
    return (i, i + step, 2 * number, 2 * number) if i < step else None  # half round: i + o and i - o are one picture


@dataclass(frozen=True, eq=False)
class Compared:
    """Distances 1 - cos in [0, 2] of every patch to its nearest in each partner.

    Attributes:
        values: (sum of N_i, K), picture by picture; in memory or on disk.
        starts: (n + 1,) where each picture's rows begin.
    """

    values: Floats
    starts: NDArray[np.intp]

    @property
    def partners(self) -> int:
        """K."""
        return int(self.values.shape[1])

    def interval(self, picture: int, share: float) -> Floats:
        """(N_i,) mean of the distances from ``share`` to twice ``share`` of the partners, of at least one.

        The nearest ``share`` of the partners say nothing: a fault that repeats itself there stays odd.
        """
        first = min(int(share * self.partners), self.partners - 1)
        end = min(max(first + 1, math.ceil(2 * share * self.partners)), self.partners)
        rows = np.array(self.values[self.starts[picture] : self.starts[picture + 1]])
        rows.partition(sorted({first, end - 1}), axis=1)
        return np.asarray(rows[:, first:end].mean(axis=1), np.float32)


class Places:
    """Which patches of two pictures are compared: all, or those at most ``radius`` patches apart.

    grids: (h, w) of each picture. Where two grids differ, places are compared as shares of the picture, and a patch of
    the coarser grid counts.
    """

    def __init__(self, grids: Sequence[tuple[int, int]], radius: int) -> None:
        self._grids, self._radius = grids, radius
        self._barred: dict[tuple[tuple[int, int], tuple[int, int]], NDArray[np.bool_]] = {}

    def barred(self, i: int, j: int) -> NDArray[np.bool_]:
        """(N_i, N_j) True where patches lie too far apart."""
        grids = self._grids[i], self._grids[j]
        if grids not in self._barred:
            down, right = (
                abs(np.subtract.outer((np.arange(one) + 0.5) / one, (np.arange(other) + 0.5) / other))
                > (self._radius + 0.5) / min(one, other)
                for one, other in zip(*grids, strict=True)
            )
            far = down[:, None, :, None] | right[None, :, None, :]
            self._barred[grids] = far.reshape(far.shape[0] * far.shape[1], -1)
        return self._barred[grids]


@dataclass(frozen=True)
class Task:
    """Pairs of two blocks of pictures: first .. end, each with those that some steps of the ring lie on.

    first, end: pictures. steps: which of :func:`ring`'s, first .. last.
    """

    first: int
    end: int
    steps: tuple[int, int]

    def pairs(self, n: int, steps: Sequence[int]) -> list[tuple[int, int, int, int]]:
        """(i, j, column of i, column of j), see :func:`compare`."""
        chosen = range(self.first, self.end)
        return [
            pair for i in chosen for number in range(*self.steps) if (pair := _pair(n, i, number, steps)) is not None
        ]


def tasks_of(n: int, partners: int, pictures: int = 32, steps: int = 8) -> list[Task]:
    """All pairs of n pictures, each in one task: so many pictures with so many steps at a time."""
    count = len(ring(n, partners))
    return [
        Task(first, min(first + pictures, n), (step, min(step + steps, count)))
        for first in range(0, n, pictures)
        for step in range(0, count, steps)
    ]


def run_task(load: Load, counts: Sequence[int], task: Task, partners: int, places: Places | None = None) -> Floats:
    """Distances of a task's pairs, one after the other: (N_i,) and (N_j,) of each."""
    n, steps = len(counts), ring(len(counts), partners)
    comparing, found = Comparing(load, counts, codes=places is None), [np.empty(0, np.float32)]
    held: dict[int, Picture] = {}
    for i, j, _, _ in task.pairs(n, steps):
        for picture in (i, j):
            if picture not in held:
                held[picture] = comparing.picture(picture)
        found += comparing.pair(held[i], held[j], None if places is None else places.barred(i, j))()
        if not task.first <= j < task.end:
            del held[j]
    return np.concatenate(found)


def compare(
    load: Load,
    counts: Sequence[int],
    *,
    partners: int = PARTNERS,
    budget: int = BUDGET,
    scratch: Path | None = None,
    places: Places | None = None,
    threads: int | None = None,
    advance: Callable[[int], object] = lambda pairs: None,
) -> Compared:
    """Compare n pictures round a :func:`ring`.

    Args:
        load: patches of a picture; called again for those that did not stay in memory.
        counts: N_i, patches of each.
        partners: see :func:`ring`.
        budget: bytes; half for distances, which go to a file in ``scratch`` where they are more, half for patches.
        scratch: a folder of one's own; None keeps distances in memory whatever they take.
        places: which patches are compared; None is all.
        threads: None is as many as cores; what is found does not depend on it.
        advance: called now and then with the pairs done since.
    """
    n, steps = len(counts), ring(len(counts), partners)
    found = empty_table(counts, partners, budget, scratch)
    values, starts = found.values, found.starts
    comparing = Comparing(load, counts, codes=places is None)
    shelf, done = Shelf(comparing.picture, budget // 2), 0
    room = shelf.room(n)

    def put(i: int, j: int, columns: tuple[int, int], both: Callable[[], tuple[Floats, Floats]]) -> None:
        near_i, near_j = both()
        values[starts[i] : starts[i + 1], columns[0]] = near_i
        values[starts[j] : starts[j + 1], columns[1]] = near_j

    with _Hands((threads or _cores()) if comparing.alone else 1) as hands:
        for i, j, *columns in _pairs(n, steps, 1 if room == n else room // 2 or 1):
            barred = None if places is None else places.barred(i, j)
            hands.do(partial(put, i, j, (columns[0], columns[1]), comparing.pair(shelf[i], shelf[j], barred)))
            done += 1
            if done == n:
                advance(done)
                done = 0
    advance(done)
    return found


class _Hands:
    """Threads that work through calls in any order, few of which wait; one thread is the caller's own."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="anomalyclip-mutual") if threads > 1 else None
        self._most, self._waiting = 2 * threads, deque[Future[None]]()

    def __enter__(self) -> _Hands:
        return self

    def __exit__(self, *failed: object) -> None:
        """Waits for all of them, and raises what they raised."""
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def do(self, call: Callable[[], None]) -> None:
        """Soon, or now."""
        if self._pool is None:
            call()
            return
        self._waiting.append(self._pool.submit(call))
        if len(self._waiting) > self._most:
            self._waiting.popleft().result()


def empty_table(counts: Sequence[int], partners: int, budget: int = BUDGET, scratch: Path | None = None) -> Compared:
    """Where the distances of n pictures go, see :func:`compare`."""
    n, steps = len(counts), ring(len(counts), partners)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    columns = 2 * len(steps) - (1 if steps and 2 * steps[-1] == n else 0)
    return Compared(_table((int(starts[-1]), columns), budget // 2, scratch), starts)


def put_task(found: Compared, task: Task, distances: Floats, partners: int) -> None:
    """Into the table what :func:`run_task` gave."""
    n, place = len(found.starts) - 1, 0
    for i, j, column_i, column_j in task.pairs(n, ring(n, partners)):
        for picture, column in ((i, column_i), (j, column_j)):
            first, end = found.starts[picture], found.starts[picture + 1]
            found.values[first:end, column] = distances[place : place + end - first]
            place += end - first
    assert place == len(distances)


def _table(shape: tuple[int, int], budget: int, scratch: Path | None) -> Floats:
    if scratch is None or 4 * shape[0] * shape[1] <= budget:
        return np.empty(shape, np.float32)
    return np.memmap(scratch / "distances", np.float32, "w+", shape=shape)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
