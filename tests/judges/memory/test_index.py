"""The bounded search against every distance written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anomalyclip.judges.memory import index as under_test
from anomalyclip.judges.memory.index import Index
from anomalyclip.judges.memory.search import nearest, unit
from anomalyclip.native.compile import SWITCH
from anomalyclip.native.library import why_not
from anomalyclip.native.search import largest, packed

needs_kernels = pytest.mark.skipif(why_not("fp32") is not None, reason=str(why_not("fp32")))


def with_structure(rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Vectors whose directions count ever less, as those of patches do."""
    return (rng.normal(size=(count, width)) * 0.6 ** np.arange(width) + 0.002).astype(np.float32)


def smallest(queries: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Squared distances (Q,) in float64."""
    return np.array([((bank.astype(float) - one) ** 2).sum(1).min() for one in queries.astype(float)])


@pytest.fixture(params=["codes", "bounds"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels in 8 bits, and a processor that has none but those in single precision."""
    if request.param == "bounds":
        _without_int8(monkeypatch)
    elif why_not("int8") is not None:
        pytest.skip(str(why_not("int8")))


def _without_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "why_not", lambda kind: "none" if kind == "int8" else why_not(kind))


@needs_kernels
@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize(("queries", "rows", "width"), [(1, 1024, 16), (11, 1030, 24), (25, 1500, 52), (50, 9000, 33)])
def test_it_finds_the_nearest(queries: int, rows: int, width: int, units: bool) -> None:
    rng = np.random.default_rng(rows + queries)
    made = with_structure(rng, rows + queries, width)
    bank, asked = (unit(made) if units else 3 * made)[:rows], (unit(made) if units else 3 * made)[rows:]
    index = Index(bank, equal_norms=units)
    first, found = index.nearest(asked), index.nearest(asked)
    assert index._turned is not None or index._coded is not None
    assert found.rows.shape == found.squared.shape == (queries, 1)
    assert_allclose(found.squared[:, 0], smallest(asked, bank), rtol=2e-4, atol=1e-6)
    assert_allclose(found.squared, first.squared, rtol=2e-4, atol=1e-6)
    assert_allclose(found.squared[:, 0], ((asked - bank[found.rows[:, 0]]) ** 2).sum(1), rtol=1e-5, atol=1e-7)


@needs_kernels
def test_a_row_of_the_bank_is_its_own_neighbour_and_few_rows_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_int8(monkeypatch)
    bank = unit(with_structure(np.random.default_rng(1), 2000, 48))
    index, counts = Index(bank, equal_norms=True), []
    monkeypatch.setattr(
        under_test, "largest", lambda *a: (found := largest(*a), counts.append(found.measured / len(a[0])))[0]
    )
    for _ in range(2):
        found = index.nearest(bank[300:400])
    assert found.rows[:, 0].tolist() == list(range(300, 400))
    assert not found.squared.any()
    assert 1 <= counts[0] < 20


@needs_kernels
def test_a_bank_without_structure_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_int8(monkeypatch)
    made = unit(np.random.default_rng(2).normal(size=(1100, 64)).astype(np.float32))
    index = Index(made[:1024], equal_norms=True)
    expected = smallest(made[1024:], made[:1024])
    for _ in range(under_test.TRIALS + 2):
        assert_allclose(index.nearest(made[1024:]).squared[:, 0], expected, rtol=1e-4)
    assert index._hopeless


@pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
@pytest.mark.parametrize("structure", [True, False])
def test_codes_are_of_fewer_coordinates_where_these_tell_rows_apart(structure: bool) -> None:
    rng = np.random.default_rng(4)
    made = with_structure(rng, 1100, 64) if structure else rng.normal(size=(1100, 64)).astype(np.float32)
    index = Index(unit(made)[:1024], equal_norms=True)
    for _ in range(under_test.TRIALS + 2):
        found = index.nearest(unit(made)[1024:])
        assert_allclose(found.squared[:, 0], smallest(unit(made)[1024:], index.rows), rtol=1e-4, atol=1e-6)
    assert index._coded is not None
    assert (index._coded.turn.directions is not None) == structure
    assert index._coded.codes.depth == (32 if structure else 64)


def test_small_banks_and_machines_without_kernels_search_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_structure(np.random.default_rng(3), 2050, 20)
    small, large = Index(made[:1000]), Index(made[:2000])
    monkeypatch.setenv(SWITCH, "0")
    for index in (small, large):
        for _ in range(3):
            found, expected = index.nearest(made[2000:]), nearest(made[2000:], index.rows)
            assert np.array_equal(found.rows, expected.rows)
        assert index._turned is index._coded is None


@needs_kernels
@pytest.mark.parametrize("rows", [1, 7, 16, 33, 130])
@pytest.mark.parametrize("queries", [1, 12, 29])
def test_products_fused_with_both_maxima(queries: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    asked, bank = (rng.normal(size=(count, 19)).astype(np.float32) for count in (queries, rows))
    columns = np.empty(rows, np.float32)
    found = largest(asked, packed(bank), rows, columns=columns)
    products = asked.astype(float) @ bank.T.astype(float)
    assert found.rows.tolist() == products.argmax(1).tolist()
    assert_allclose(found.values, products.max(1), rtol=1e-5, atol=1e-5)
    assert_allclose(columns, products.max(0), rtol=1e-5, atol=1e-5)
