"""The search by codes, as this processor runs it, against every product written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anomalyclip.native import search_u8 as under_test
from anomalyclip.native.library import why_not
from anomalyclip.native.search_u8 import Turn, Whole, bank_codes, largest_values, query_codes

pytestmark = pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
SHAPES = [(1, 1, 1), (12, 7, 16), (13, 33, 17), (401, 130, 52), (40, 4097, 33), (5, 3000, 300), (43, 14000, 5)]
"""The last one takes two blocks of queries."""


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("queries", "rows", "width"), SHAPES)
def test_it_finds_what_all_products_find(queries: int, rows: int, width: int, turned: bool) -> None:
    """turned: a third of the coordinates, in any directions, and the lengths that these leave."""
    rng = np.random.default_rng(rows)
    shared = 3 * rng.normal(size=width)
    asked, bank = ((rng.normal(size=(count, width)) + shared).astype(np.float32) for count in (queries, rows))
    directions = np.linalg.qr(rng.normal(size=(width, -(-width // 3))))[0].astype(np.float32) if turned else None
    turn, minus = Turn(bank.mean(axis=0), directions), np.einsum("md,md->m", bank, bank) / np.float32(2)
    under_test._own.bounds = np.full(1 << 18, np.nan, np.float32)  # what is read before it is written shows
    found = largest_values(
        query_codes(asked, turn), bank_codes(bank, turn, minus), Whole(asked, bank, minus), both=True
    )
    values = asked.astype(float) @ bank.T.astype(float) - minus.astype(float)
    assert found.rows.tolist() == values.argmax(axis=1).tolist()
    assert found.column_rows.tolist() == values.argmax(axis=0).tolist()
    assert_allclose(found.values, values.max(axis=1), rtol=1e-5, atol=1e-4)
    assert_allclose(found.columns, values.max(axis=0), rtol=1e-5, atol=1e-4)
    assert max(queries, rows) <= found.measured <= 2 * queries * rows


def test_equal_vectors_and_zeros_have_codes_too() -> None:
    same = np.ones((40, 20), np.float32)
    asked, bank = query_codes(same, Turn(same[0])), bank_codes(same, Turn(same[0]))
    found = largest_values(asked, bank, Whole(same, same, np.zeros(40, np.float32)), both=True)
    assert found.values.tolist() == found.columns.tolist() == [20] * 40


@pytest.mark.parametrize("size", [0.01, 30])
def test_a_bound_errs_by_no_more_than_half_a_step_a_coordinate(size: float) -> None:
    rng = np.random.default_rng(7)
    asked, bank = (size * rng.standard_t(2, size=(count, 70)).astype(np.float32) for count in (30, 50))
    none = Turn(np.zeros(70, np.float32))
    ours, theirs = query_codes(asked, none), bank_codes(bank, none)
    found = largest_values(ours, theirs, None)
    values = asked.astype(float) @ bank.T.astype(float)
    step, other = ours.scale[:, None].astype(float), theirs.scale[:50].astype(float)
    error = abs(asked).sum(1)[:, None] * other / 2 + step / 2 * abs(bank).sum(1) + 70 * step * other / 4
    best = found.values.astype(float)
    assert (best <= (values + error).max(axis=1) * (1 + 1e-6)).all()
    assert (best >= (values - error).max(axis=1) - 1e-6 * abs(best)).all()
