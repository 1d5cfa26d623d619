"""A bank that is searched again and again: turned so that a quarter of the coordinates tells most rows apart.

By the bank's own second moments, the first coordinates of the turned vectors hold most of their length. With these h
coordinates, and the lengths of what is left, Cauchy and Schwarz bound every product from above:

    q.m <= q_h . m_h + |q - q_h| |m - m_h|.

Only rows whose bound exceeds the best product that was measured are measured whole; of 4,800 rows of a real line these
are some 30 to 200. What is found is the nearest row; only rows that rounding cannot tell from it may take its place.
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

    turn: Floats  # (D, h) the first h directions
    panels: Floats
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
        short = _short(queries, turned.turn, 1.0)
        margin = MARGIN * turned.longest * float(np.sqrt(np.einsum("qd,qd->q", queries, queries).max(initial=0)))
        found = largest(short, turned.panels, len(self.rows), Whole(queries, self.rows, turned.minus, margin))
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
    kept = -(-rows.shape[1] // 4)
    turn = np.ascontiguousarray(directions[:, ::-1][:, :kept], np.float32)
    minus = np.float32(0.5) * np.einsum("md,md->m", rows, rows)
    return _Turned(turn, packed(_short(rows, turn, -minus)), minus, float(np.sqrt(2 * minus.max())))


def _short(vectors: Floats, turn: Floats, last: Floats | float) -> Floats:
    """(N, h + 2): the first h turned coordinates, the length of the rest, and `last`."""
    out = np.empty((len(vectors), turn.shape[1] + 2), np.float32)
    np.matmul(vectors, turn, out=out[:, :-2])
    first = np.einsum("nh,nh->n", out[:, :-2], out[:, :-2])
    out[:, -2] = np.sqrt(np.maximum(np.einsum("nd,nd->n", vectors, vectors) - first, 0))
    out[:, -1] = last
    return out
