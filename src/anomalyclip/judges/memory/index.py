"""A bank that is searched again and again: turned so that a few coordinates tell most rows apart.

By the bank's own second moments, the first coordinates of the turned vectors hold most of their length. With these h
coordinates, and the lengths of what is left, Cauchy and Schwarz bound every product from above:

    q.m <= q_h . m_h + |q - q_h| |m - m_h|.

For the rows whose bound exceeds the best product that was measured, more coordinates tighten it; what still exceeds is
measured whole: of 4,800 rows of a real line some 10 to 100. What is found is the nearest row; only rows that rounding
cannot tell from it may take its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.search import Neighbours, nearest
from anomalyclip.native.library import why_not
from anomalyclip.native.search import Whole, largest, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FEWEST = 1024
"""Rows, below which a product with all of them takes no longer."""
TURNED = 4096
"""Rows, at most, whose second moments decide how a bank is turned."""
MARGIN = 1e-5
"""By how much of |q| |m| rounding may lower a bound, more than float32 ever does here."""
HOPELESS = 0.15
"""Share of the rows measured whole from which on bounds cost more than they save: a product is faster than its dots."""

TRIALS = 4
"""Searches before a bank is given up: a picture that resembles nothing says little of those to come."""


@dataclass
class _Turned:
    """One bank (M, D), turned: what a search needs of it."""

    turn: Floats  # (D, h + k) the first directions: h for all rows, k for those that these leave open
    panels: Floats
    second: Floats
    minus: Floats
    longest: float


class Index:
    """The rows of a bank (M, D) for many searches. The first search prepares nothing; one picture needs no index.

    Without compiled kernels, for small banks, and for banks without structure every search is :func:`nearest`.
    """

    def __init__(self, rows: Floats, *, equal_norms: bool = False) -> None:
        self.rows, self.equal_norms = rows, equal_norms
        self._searches = 0
        self._measured = self._asked = 0
        self._hopeless = False
        self._turned: _Turned | None = None

    def nearest(self, queries: Floats) -> Neighbours:
        """The nearest row of each query (Q, D), as :func:`nearest` gives it: squared distances and rows (Q, 1)."""
        self._searches += 1
        if self._searches == 1 or len(self.rows) < FEWEST or self._hopeless or why_not("fp32") is not None:
            return nearest(queries, self.rows, equal_norms=self.equal_norms)
        turned = self._turned = self._turned or _turned(self.rows)
        short, second = _short(queries, turned.turn, 1.0)
        second[:, -2] *= -1
        margin = MARGIN * turned.longest * float(np.sqrt(np.einsum("qd,qd->q", queries, queries).max(initial=0)))
        whole = Whole(queries, self.rows, second, turned.second, turned.minus, margin)
        found = largest(short, turned.panels, len(self.rows), whole)
        self._measured += found.measured
        self._asked += len(queries)
        if self._searches > TRIALS and self._measured > HOPELESS * self._asked * len(self.rows):
            self._hopeless, self._turned = True, None
        rows = found.rows.astype(np.intp)[:, None]
        difference = queries - self.rows[rows[:, 0]]
        return Neighbours(np.einsum("qd,qd->q", difference, difference)[:, None], rows)


def _turned(rows: Floats) -> _Turned:
    some = rows[:: -(-len(rows) // TURNED)]
    _, directions = np.linalg.eigh(some.T @ some)
    kept = sum(_split(rows.shape[1]))
    turn = np.ascontiguousarray(directions[:, ::-1][:, :kept], np.float32)
    minus = np.float32(0.5) * np.einsum("md,md->m", rows, rows)
    short, second = _short(rows, turn, -minus)
    return _Turned(turn, packed(short), second, minus, float(np.sqrt(2 * minus.max())))


def _split(width: int) -> tuple[int, int]:
    """h and k, of which with two lengths k fills registers: 42 and 62 of 208."""
    first = -(-width // 5)
    return first, min(-(-width // 26) * 8 - 2, width - first)


def _short(vectors: Floats, turn: Floats, last: Floats | float) -> tuple[Floats, Floats]:
    """(N, h + 2): the first h turned coordinates, the length of the rest, and `last`; and (N, k + 2): the next k, that
    length again, and the length of what is left then."""
    first, _ = _split(vectors.shape[1])
    turned = vectors @ turn
    whole = np.einsum("nd,nd->n", vectors, vectors)
    parts = turned[:, :first], turned[:, first:]
    left = np.maximum(whole - np.einsum("nh,nh->n", parts[0], parts[0]), 0)
    short, second = (np.empty((len(vectors), part.shape[1] + 2), np.float32) for part in parts)
    short[:, :-2], second[:, :-2] = parts
    short[:, -2] = second[:, -2] = np.sqrt(left)
    second[:, -1] = np.sqrt(np.maximum(left - np.einsum("nk,nk->n", parts[1], parts[1]), 0))
    short[:, -1] = last
    return short, second
