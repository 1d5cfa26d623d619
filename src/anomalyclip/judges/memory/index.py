"""A bank that is searched again and again.

By the kernel of :mod:`anomalyclip.native.search_u8`, from products of 8-bit codes, of half of the turned coordinates
unless these tell rows apart badly; what is left open, 1 to 10 of 4,800 rows, is measured whole.

Where a processor has kernels in single precision alone, the bank is turned so that a few coordinates tell most rows
apart. By its own second moments, the first coordinates of the turned vectors hold most of their length. With these h
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
from anomalyclip.native import search_u8
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

COARSE = 0.01
"""The same of codes: from there on half of the coordinates cost more in what they leave open than the others would."""

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


@dataclass
class _Coded:
    """One bank (M, D) in 8 bits, turned or not. minus: (M,) |m|^2 / 2."""

    codes: search_u8.Codes
    turn: search_u8.Turn
    minus: Floats


class Index:
    """The rows of a bank (M, D) for many searches. The first search prepares nothing; one picture needs no index.

    Without compiled kernels, for small banks, and without kernels in 8 bits for banks without structure, every search
    is :func:`nearest`.
    """

    def __init__(self, rows: Floats, *, equal_norms: bool = False) -> None:
        self.rows, self.equal_norms = rows, equal_norms
        self._searches = 0
        self._measured = self._asked = 0
        self._hopeless = False
        self._turned: _Turned | None = None
        self._coded: _Coded | None = None

    def nearest(self, queries: Floats) -> Neighbours:
        """The nearest row of each query (Q, D), as :func:`nearest` gives it: squared distances and rows (Q, 1)."""
        self._searches += 1
        if self._searches > 1 and len(self.rows) >= FEWEST:
            if why_not("int8") is None:
                return self._measure(queries, self._by_codes(queries))
            if not self._hopeless and why_not("fp32") is None:
                return self._measure(queries, self._by_bounds(queries))
        return nearest(queries, self.rows, equal_norms=self.equal_norms)

    def _measure(self, queries: Floats, found: NDArray[np.int32]) -> Neighbours:
        rows = found.astype(np.intp)[:, None]
        difference = queries - self.rows[rows[:, 0]]
        return Neighbours(np.einsum("qd,qd->q", difference, difference)[:, None], rows)

    def _by_codes(self, queries: Floats) -> NDArray[np.int32]:
        coded = self._coded = self._coded or _coded(self.rows, turned=True)
        queries, rows = np.ascontiguousarray(queries, np.float32), np.ascontiguousarray(self.rows, np.float32)
        asked = search_u8.query_codes(queries, coded.turn)
        found = search_u8.largest_values(asked, coded.codes, search_u8.Whole(queries, rows, coded.minus))
        self._measured += found.measured
        self._asked += len(queries)
        turned = coded.turn.directions is not None
        if turned and self._searches > TRIALS and self._measured > COARSE * self._asked * len(self.rows):
            self._coded = _coded(self.rows, turned=False)
        return found.rows

    def _by_bounds(self, queries: Floats) -> NDArray[np.int32]:
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
        return found.rows


def _coded(rows: Floats, *, turned: bool) -> _Coded:
    directions = None
    if turned:
        kept = rows.shape[1] // 32 * 16  # half of the coordinates, as many as codes are filled up to
        # in any order but their own: large ones side by side would fill words of 16 bits, and make all codes coarse
        order = np.random.default_rng(0).permutation(kept)
        directions = np.ascontiguousarray(_directions(rows)[:, :kept][:, order]) if kept else None
    turn = search_u8.Turn(rows.mean(axis=0), directions)
    minus = np.float32(0.5) * np.einsum("md,md->m", rows, rows)
    return _Coded(search_u8.bank_codes(rows, turn, minus), turn, minus)


def _directions(rows: Floats) -> Floats:
    """(D, D) columns in which some of the rows (M, D), less their mean, vary ever less."""
    some = rows[:: -(-len(rows) // TURNED)]
    some = some - some.mean(axis=0)
    _, directions = np.linalg.eigh(some.T @ some)
    return np.asarray(directions[:, ::-1], np.float32)


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
