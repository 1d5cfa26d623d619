"""Nearest rows by products of 8-bit codes on our kernel (csrc/search_u8.h), decided in single precision."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.native.library import Kernels, kernels
from anomalyclip.native.search import Search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DEVIATIONS = 3.0
"""Of an error by rounding to codes, for the longest vectors and the coarsest codes, that count as possible: of
100,000 searches on real pictures none missed its nearest (docs/kernels.md)."""
_DEVIATIONS = DEVIATIONS / 12**0.5  # of an error that is evenly spread over a step
_ROUNDING = 2e-6  # of |q| |m|: what single precision may cost a bound
_FILLED, _WIDEST_PANEL, _LARGEST_TILE = 16, 32, 12
_NEVER = -3e38
_LARGEST = 32000  # steps: a bound in 16 bits
_BEYOND = 1.05  # lengths by codes are a little more than the vectors' own
_TINY = 1e-30
_own = threading.local()  # a thread's bounds: fresh pages for each search would cost a tenth of it


class _SearchCodes(ctypes.Structure):
    _fields_ = (
        ("search", Search),
        *((name, ctypes.c_void_p) for name in ("codes", "panels", "scale", "plus", "length")),
        *((name, ctypes.c_void_p) for name in ("bank_scale", "bank_shift", "bank_plus", "rest", "bank_rest")),
        *((name, ctypes.c_float) for name in ("middle", "step", "by_scale", "by_length", "least")),
    )


class _CodeRows(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("rows", "codes", "panels", "scale", "shift", "length")),
        *((name, ctypes.c_int64) for name in ("count", "width", "depth")),
    )


@dataclass(frozen=True, eq=False)
class Codes:
    """Vectors (N, D) less a mean as codes, x - mean = scale q, in the kernel's order.

    Attributes:
        codes: of a bank panels (int8, |q| <= 127), of queries rows (uint8, q + 64 with |q| <= 63).
        scale: (N,) steps. shift: (N,) of a bank, what the 64 adds to products. length: (N,) |x - mean|.
        plus: (N,) what is added to products. All of these are float32, of a bank filled up to whole panels.
        count, depth: N, and D filled up. made_by: the kernels that read them.
        rest: (N,) lengths of coordinates that are not coded; None where all are.
    """

    codes: NDArray[np.generic]
    scale: Floats
    shift: Floats
    length: Floats
    plus: Floats
    count: int
    depth: int
    made_by: Kernels
    rest: Floats | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.codes.nbytes + 4 * self.scale.nbytes

    @cached_property
    def at(self) -> dict[str, int]:
        """Where the arrays lie."""
        names = ("codes", "scale", "shift", "length", "plus", "rest")
        arrays = {name: getattr(self, name) for name in names}
        return {name: _at(one) for name, one in arrays.items() if one is not None}

    @cached_property
    def most(self) -> _Most:
        """What is largest of all rows."""
        length, scale, plus = (one[: self.count] for one in (self.length, self.scale, self.plus))
        rest = 0.0 if self.rest is None else float(self.rest.max(initial=0))
        low, high = float(plus.min(initial=np.inf)), float(plus.max(initial=-np.inf))
        return _Most(float(length.max(initial=0)), float(scale.max(initial=0)), rest, low, high)


class _Most(NamedTuple):
    """The largest length, step, and rest of rows; the smallest and the largest of what is added."""

    length: float
    step: float
    rest: float
    low: float
    high: float

    @property
    def added(self) -> float:
        return max(-self.low, self.high)

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def reach(self) -> float:
        """From the middle."""
        return (self.high - self.low) / 2


class Whole(NamedTuple):
    """What decides: vectors of the queries (Q, W) and of the bank (M, W), and (M,) |m|^2 / 2, or zeros."""

    queries: Floats
    bank: Floats
    minus: Floats


class Found(NamedTuple):
    """The largest value of each query (Q,) and its row (Q,); of each row (M,) and its query, where they were asked for.

    measured: products that were computed in single precision.
    """

    values: Floats
    rows: NDArray[np.int32]
    columns: Floats
    column_rows: NDArray[np.int32]
    measured: int


class Turn(NamedTuple):
    """What both sides lose before they are coded. mean: (D,), any; near a bank's own, codes are finest.

    directions: (D, h) orthonormal columns, on which the coordinates that are coded lie; None is all as they are.
    """

    mean: Floats
    directions: Floats | None = None

    def short(self, vectors: Floats) -> tuple[Floats, Floats | None]:
        """Of vectors (N, D): their coordinates (N, h) and the lengths of what these leave out (N,)."""
        centred = vectors - self.mean
        if self.directions is None:
            return centred, None
        short = np.asarray(centred @ self.directions, np.float32)
        left = np.einsum("nd,nd->n", centred, centred) - np.einsum("nh,nh->n", short, short)
        return short, np.asarray(np.sqrt(np.maximum(left, 0)), np.float32)


def bank_codes(vectors: Floats, turn: Turn, minus: Floats | None = None) -> Codes:
    """Vectors (M, D) to search among. minus: (M,) |m|^2 / 2."""
    library = kernels("int8")
    short, rest = turn.short(vectors)
    filled, depth = _up(len(vectors), _WIDEST_PANEL), _up(short.shape[1], _FILLED)
    panels, parts = np.empty((filled, depth), np.int8), np.zeros((5, filled), np.float32)
    scale, shift, length, plus, left = parts
    plus[: len(vectors)], plus[len(vectors) :] = vectors @ turn.mean, _NEVER
    if minus is not None:
        plus[: len(vectors)] -= minus
    if rest is not None:
        left[: len(vectors)] = rest
    _code(library, short, scale, length, panels=panels, shift=shift)
    whole = None if rest is None else left
    return Codes(panels, scale, shift, length, plus, len(vectors), depth, library, whole)


def query_codes(vectors: Floats, turn: Turn) -> Codes:
    """Queries (Q, D). turn: the bank's."""
    short, rest = turn.short(vectors)
    library, depth = kernels("int8"), _up(short.shape[1], _FILLED)
    codes = np.empty((_up(len(vectors), _LARGEST_TILE), depth), np.uint8)
    scale, length = np.empty((2, len(vectors)), np.float32)
    _code(library, short, scale, length, codes=codes)
    plus = _single(vectors @ turn.mean - turn.mean @ turn.mean)
    return Codes(codes, scale, scale, length, plus, len(vectors), depth, library, rest)


def largest_values(queries: Codes, bank: Codes, whole: Whole | None, *, both: bool = False) -> Found:
    """For each query the row of a bank with the largest value q.m - |m|^2 / 2.

    whole: decides among rows whose bounds are within a margin of the best; None gives the largest bounds themselves.
    both: find the query with the largest value for each row of the bank, too.

    Runs in the calling thread and releases the interpreter's lock. A thread keeps 1 MB of bounds, or 24 rows of them.
    """
    count, across, ours, theirs = queries.count, len(bank.scale) if both else 0, queries.at, bank.at
    made = np.empty(2 * (count + across), np.float32)  # one array for all: a pair of pictures takes half a millisecond
    at, needed = _at(made), _needed(bank.made_by, count, bank.count, both)
    kept: Floats | None = getattr(_own, "bounds", None)
    if kept is None or len(kept) < needed:
        kept = _own.bounds = np.empty(needed, np.float32)
    search = Search(best=at, at=at + 4 * count, scratch=_at(kept), count=count, rows=bank.count, depth=queries.depth)
    if both:
        search.columns, search.column_at = at + 8 * count, at + 8 * count + 4 * across
    if whole is not None:
        search.queries, search.bank, search.minus = _at(whole.queries), _at(whole.bank), _at(whole.minus)
        search.width = whole.queries.shape[1]
    one, other = queries.most, bank.most
    job = _SearchCodes(
        search=search,
        codes=ours["codes"],
        panels=theirs["codes"],
        scale=ours["scale"],
        plus=ours["plus"],
        length=ours["length"],
        bank_scale=theirs["scale"],
        bank_shift=theirs["shift"],
        bank_plus=theirs["plus"],
        middle=one.middle + other.middle,
        by_scale=_DEVIATIONS * other.length,
        by_length=_DEVIATIONS * other.step,
        least=_ROUNDING * ((one.length + 1) * (other.length + 1) + one.added + other.added),
    )
    if queries.rest is not None and bank.rest is not None:
        job.rest, job.bank_rest = ours["rest"], theirs["rest"]
    margin = job.by_scale * one.step + job.by_length * one.length + job.least
    farthest = one.length * other.length + one.rest * other.rest + one.reach + other.reach + margin
    job.step = max(_BEYOND * farthest, _TINY) / _LARGEST
    bank.made_by.ac_search_u8(ctypes.byref(job))
    places = made.view(np.int32)
    rows = slice(2 * count, 2 * count + (bank.count if both else 0))
    column_rows = places[2 * count + across :][: bank.count]
    return Found(made[:count], places[count : 2 * count], made[rows], column_rows, int(job.search.measured))


@lru_cache
def _needed(library: Kernels, count: int, rows: int, both: bool) -> int:
    """Floats of memory."""
    size = library.ac_codes_floats
    size.restype = ctypes.c_int64
    shape = Search(count=count, rows=rows, columns=1 if both else None)
    return int(size(ctypes.byref(_SearchCodes(search=shape))))


def _code(
    library: Kernels,
    rows: Floats,
    scale: Floats,
    length: Floats,
    *,
    codes: NDArray[np.uint8] | None = None,
    panels: NDArray[np.int8] | None = None,
    shift: Floats | None = None,
) -> None:
    rows = _single(rows)
    optional = {
        name: _at(one) for name, one in (("codes", codes), ("panels", panels), ("shift", shift)) if one is not None
    }
    count, width = rows.shape
    job = _CodeRows(
        rows=_at(rows),
        scale=_at(scale),
        length=_at(length),
        count=count,
        width=width,
        depth=_up(width, _FILLED),
        **optional,
    )
    library.ac_code_rows(ctypes.byref(job))


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _single(values: NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(values, np.float32)


def _at(array: NDArray[np.generic]) -> int:
    address: int = array.__array_interface__["data"][0]  # half the time of `array.ctypes`
    return address
