"""Nearest rows by products of 8-bit codes on our kernel (csrc/search_u8.h), decided in single precision."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cached_property
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
_ROUNDING = 2e-6  # of |q| |m|: what single precision may cost a bound
_FILLED, _WIDEST_PANEL, _LARGEST_TILE = 16, 32, 12
_NEVER = -3e38
_own = threading.local()  # a thread's bounds: fresh pages for each search would cost a tenth of it


class _SearchCodes(ctypes.Structure):
    _fields_ = (
        ("search", Search),
        *((name, ctypes.c_void_p) for name in ("codes", "panels", "scale", "plus", "margin")),
        *((name, ctypes.c_void_p) for name in ("bank_scale", "bank_shift", "bank_plus", "rest", "bank_rest")),
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
    def at(self) -> dict[str, ctypes.c_void_p]:
        """Where the arrays lie."""
        arrays = {"codes": self.codes, "scale": self.scale, "shift": self.shift, "plus": self.plus}
        return {name: _at(one) for name, one in (arrays | {"rest": self.rest}).items() if one is not None}

    @cached_property
    def most(self) -> tuple[float, float, float]:
        """Of all rows, the largest of length, step, and magnitude of what is added."""
        length, scale, plus = (one[: self.count] for one in (self.length, self.scale, np.abs(self.plus)))
        return float(length.max(initial=0)), float(scale.max(initial=0)), float(plus.max(initial=0))


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

    Runs in the calling thread and releases the interpreter's lock. A thread keeps 256 KB, or 12 rows of bounds.
    """
    best, at = np.empty(queries.count, np.float32), np.empty(queries.count, np.int32)
    across = len(bank.scale) if both else 0
    columns, column_at = np.empty(across, np.float32), np.empty(across, np.int32)
    margin, ours, theirs = _margin(queries, bank), queries.at, bank.at
    job = _SearchCodes(
        codes=ours["codes"],
        panels=theirs["codes"],
        scale=ours["scale"],
        plus=ours["plus"],
        margin=_at(margin),
        bank_scale=theirs["scale"],
        bank_shift=theirs["shift"],
        bank_plus=theirs["plus"],
    )
    if queries.rest is not None and bank.rest is not None:
        job.rest, job.bank_rest = ours["rest"], theirs["rest"]
    search = job.search
    search.best, search.at = _at(best), _at(at)
    search.count, search.rows, search.depth = queries.count, bank.count, queries.depth
    if both:
        search.columns, search.column_at = _at(columns), _at(column_at)
    if whole is not None:
        search.queries, search.bank, search.minus = _at(whole.queries), _at(whole.bank), _at(whole.minus)
        search.width = whole.queries.shape[1]
    scratch = _bounds(bank.made_by, job)
    search.scratch = _at(scratch)
    bank.made_by.ac_search_u8(ctypes.byref(job))
    return Found(best, at, columns[: bank.count], column_at[: bank.count], int(search.measured))


def _bounds(library: Kernels, job: _SearchCodes) -> Floats:
    size = library.ac_codes_floats
    size.restype = ctypes.c_int64
    needed, kept = size(ctypes.byref(job)), getattr(_own, "bounds", None)
    if kept is None or len(kept) < needed:
        kept = _own.bounds = np.empty(needed, np.float32)
    made: Floats = kept
    return made


def _margin(queries: Codes, bank: Codes) -> Floats:
    """(Q,) deviations of the error of products: that of a code is evenly spread over a step."""
    longest, coarsest, plus = bank.most
    error = np.hypot(queries.scale * np.float32(longest), queries.length * np.float32(coarsest))
    rounding = _ROUNDING * ((queries.most[0] + 1) * (longest + 1) + queries.most[2] + plus)
    made: Floats = np.float32(DEVIATIONS / 12**0.5) * error + np.float32(rounding)
    return made


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


def _at(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
