"""Nearest rows on our kernel (csrc/search_f32.h): products, largest and refinement fused, no matrix of distances."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

from anomalyclip.native.library import kernels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_FEWEST = 12  # queries: a tile of the widest target
_WIDEST_PANEL = 32


class Search(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("short_queries", "panels", "queries", "bank")),
        *((name, ctypes.c_void_p) for name in ("second_queries", "second_bank", "minus", "scratch")),
        *((name, ctypes.c_void_p) for name in ("best", "at", "columns", "column_at")),
        *((name, ctypes.c_int64) for name in ("count", "rows", "depth", "width", "second", "measured")),
        ("margin", ctypes.c_float),
    )


class Found(NamedTuple):
    """The largest of each query (Q,) and its row (Q,); and how many rows were measured whole, for all queries."""

    values: Floats
    rows: NDArray[np.int32]
    measured: int


class Whole(NamedTuple):
    """What refines bounds.

    Attributes:
        queries, bank: (Q, W) and (M, W). minus: |m|^2 / 2 (M,). margin: what rounding may cost a bound.
        second_queries, second_bank: (Q, S) and (M, S), whose products added to bounds give tighter ones.
    """

    queries: Floats
    bank: Floats
    second_queries: Floats
    second_bank: Floats
    minus: Floats
    margin: float


def packed(bank: Floats) -> Floats:
    """Rows (M, D) as :func:`largest` reads them."""
    import numpy as np

    rows, depth = bank.shape
    bank = np.ascontiguousarray(bank, np.float32)
    panels = np.empty((-(-rows // _WIDEST_PANEL) * _WIDEST_PANEL, depth), np.float32)
    pack = kernels("fp32").ac_pack_f32
    pack(_at(bank), ctypes.c_int64(rows), ctypes.c_int64(depth), _at(panels))
    return panels


def largest(
    queries: Floats, panels: Floats, rows: int, whole: Whole | None = None, columns: Floats | None = None
) -> Found:
    """For each query (Q, D) the row of a packed bank with the largest product.

    whole: the products are upper bounds; of q.m - |m|^2 / 2 the largest is wanted, and the row where it is.
    columns: (rows,) float32, contiguous; takes the largest product of each row with any query.

    Runs in the calling thread and releases the interpreter's lock. Memory beside the operands: 12 or fewer rows of
    products.
    """
    import numpy as np

    library = kernels("fp32")
    count = len(queries)
    given = _filled(queries)
    best, at = np.empty(len(given), np.float32), np.empty(len(given), np.int32)
    size = library.ac_search_floats
    size.restype = ctypes.c_int64
    scratch = np.empty(size(ctypes.c_int64(rows)), np.float32)
    full, second = (None, None) if whole is None else (_filled(whole.queries), _filled(whole.second_queries))
    job = Search(
        short_queries=_at(given),
        panels=_at(panels),
        scratch=_at(scratch),
        best=_at(best),
        at=_at(at),
        columns=None if columns is None else _at(columns),
        count=len(given),
        rows=rows,
        depth=given.shape[1],
    )
    if whole is not None and full is not None and second is not None:
        job.queries, job.bank, job.minus = _at(full), _at(whole.bank), _at(whole.minus)
        job.second_queries, job.second_bank = _at(second), _at(whole.second_bank)
        job.width, job.second, job.margin = full.shape[1], second.shape[1], whole.margin
    library.ac_search_f32(ctypes.byref(job))
    return Found(best[:count], at[:count], int(job.measured))


def _filled(queries: Floats) -> Floats:
    """At least a tile of rows, the last one repeated: it changes no row's largest, nor any column's."""
    import numpy as np

    given = np.ascontiguousarray(queries, np.float32)
    return given if len(given) >= _FEWEST else np.concatenate([given, np.repeat(given[-1:], _FEWEST - len(given), 0)])


def _at(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
