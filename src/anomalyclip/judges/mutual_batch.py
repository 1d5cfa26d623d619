"""Mutual distances of a batch of any size: which pictures are compared, in how much memory, and what is kept.

Each pair's matrix of products is made once and serves both directions: its row maxima belong to one picture, its column
maxima to the other. Of a patch only one number a partner is kept, its distance to the nearest patch there.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
        for number, step in enumerate(steps):
            opposite = 2 * step == n  # the step half round: i + o and i - o are one picture
            for i in range(start, min(start + block, n)):
                if not opposite:
                    yield i, (i + step) % n, 2 * number, 2 * number + 1
                elif i < step:
                    yield i, i + step, 2 * number, 2 * number


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


def compare(
    load: Load,
    counts: Sequence[int],
    *,
    partners: int = PARTNERS,
    budget: int = BUDGET,
    scratch: Path | None = None,
    advance: Callable[[int], object] = lambda pairs: None,
) -> Compared:
    """Compare n pictures round a :func:`ring`.

    Args:
        load: patches of a picture; called again for those that did not stay in memory.
        counts: N_i, patches of each.
        partners: see :func:`ring`.
        budget: bytes; half for distances, which go to a file in ``scratch`` where they are more, half for patches.
        scratch: a folder of one's own; None keeps distances in memory whatever they take.
        advance: called now and then with the pairs done since.
    """
    n, steps = len(counts), ring(len(counts), partners)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    columns = 2 * len(steps) - (1 if steps and 2 * steps[-1] == n else 0)
    values = _table((int(starts[-1]), columns), budget // 2, scratch)
    shelf = Shelf(load, budget // 2)
    done, buffer = 0, np.empty((max(counts), max(counts)), np.float32)  # one: fresh pages cost a tenth of a product
    for i, j, column_i, column_j in _pairs(n, steps, shelf.room(n) // 2 or 1):
        fitting = buffer if counts[i] == counts[j] == len(buffer) else None
        products = np.matmul(shelf[i], shelf[j].T, out=fitting)
        values[starts[i] : starts[i + 1], column_i] = _distance(products.max(axis=1))
        values[starts[j] : starts[j + 1], column_j] = _distance(products.max(axis=0))
        done += 1
        if done == n:
            advance(done)
            done = 0
    advance(done)
    return Compared(values, starts)


class Shelf:
    """The pictures' patches that were used last, as many as fit into some bytes (two at least)."""

    def __init__(self, load: Load, budget: int) -> None:
        self._load, self._budget = load, budget
        self._held: OrderedDict[int, Floats] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, picture: int) -> Floats:
        if picture in self._held:
            self._held.move_to_end(picture)
            return self._held[picture]
        found = self._load(picture)
        while self._bytes + found.nbytes > self._budget and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        self._held[picture] = found
        self._bytes += found.nbytes
        return found

    def room(self, most: int) -> int:
        """How many pictures of the first one's size fit."""
        return min(most, max(2, self._budget // max(1, self[0].nbytes)))


def _table(shape: tuple[int, int], budget: int, scratch: Path | None) -> Floats:
    if scratch is None or 4 * shape[0] * shape[1] <= budget:
        return np.empty(shape, np.float32)
    return np.memmap(scratch / "distances", np.float32, "w+", shape=shape)


def _distance(cosine: Floats) -> Floats:
    return np.maximum(1 - cosine, 0)
