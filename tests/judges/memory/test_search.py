"""What must hold for any memory, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import uniform_filter
from scipy.spatial.distance import cdist

from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory import search
from anomalyclip.judges.memory.coreset import greedy_coreset
from anomalyclip.judges.memory.neighbourhood import adaptive_mean, neighbourhood_mean, on_grid
from anomalyclip.judges.memory.search import nearest, unit

shapes = st.tuples(st.integers(1, 12), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))


def _draw(shape: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    queries, rows, width, seed = shape
    rng = np.random.default_rng(seed)
    return rng.normal(size=(queries, width)).astype(np.float32), rng.normal(size=(rows, width)).astype(np.float32)


@given(shapes, st.integers(1, 5))
def test_equals_brute_force_whatever_the_block(shape, count: int) -> None:
    queries, bank = _draw(shape)
    expected = np.sort(cdist(queries, bank, "sqeuclidean"), axis=1)[:, :count]
    before, search.BLOCK = search.BLOCK, 7
    try:
        found = nearest(queries, bank, count)
    finally:
        search.BLOCK = before
    assert_allclose(found.squared, expected, rtol=1e-4, atol=1e-5)
    again = np.square(queries[:, None] - bank[found.rows]).sum(axis=-1)
    assert_allclose(found.squared, again, rtol=1e-5, atol=1e-7)


@given(shapes)
def test_a_query_in_the_memory_has_distance_zero(shape) -> None:
    queries, bank = _draw(shape)
    bank = np.concatenate([bank, queries])
    assert_allclose(nearest(queries, bank).squared, 0, atol=1e-5)


@given(shapes)
def test_the_order_of_references_does_not_matter_and_more_never_raise_a_distance(shape) -> None:
    queries, bank = _draw(shape)
    whole = nearest(queries, bank).squared
    assert_allclose(nearest(queries, bank[::-1].copy()).squared, whole, rtol=1e-4, atol=1e-6)
    if len(bank) > 1:
        assert (nearest(queries, bank[:-1]).squared >= whole - 1e-6).all()


def test_half_the_squared_distance_of_unit_vectors_is_one_minus_the_cosine() -> None:
    queries, bank = _draw((5, 20, 8, 1))
    assert_allclose(
        nearest(unit(queries), unit(bank)).squared[:, 0] / 2, cdist(queries, bank, "cosine").min(axis=1), atol=1e-6
    )
    assert not unit(np.zeros((2, 3), np.float32)).any()


def test_what_cannot_be_compared_is_refused() -> None:
    one = np.zeros((1, 3), np.float32)
    with pytest.raises(ConfigError, match="empty"):
        nearest(one, one[:0])
    with pytest.raises(ConfigError, match="width 3"):
        nearest(one, np.zeros((1, 4), np.float32))
    with pytest.raises(ConfigError, match="1 or more"):
        nearest(one, one, 0)


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 6, 9, 3), (1, 2, 1, 2)])
def test_neighbourhood_means_equal_scipys(side: int, shape: tuple[int, ...]) -> None:
    grids = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = uniform_filter(grids, size=(1, side, side, 1), mode="constant")
    assert_allclose(neighbourhood_mean(grids, side), expected, atol=1e-6)


def test_an_even_neighbourhood_is_refused() -> None:
    with pytest.raises(ConfigError, match="no middle"):
        neighbourhood_mean(np.zeros((1, 4, 4, 1), np.float32), 2)


def test_levels_go_to_another_grid_as_torch_does() -> None:
    torch = pytest.importorskip("torch")
    grids = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype(np.float32)
    tensor = torch.from_numpy(grids).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(tensor, size=(10, 7), mode="bilinear", align_corners=False)
    assert_allclose(on_grid(grids, (10, 7)), expected.permute(0, 2, 3, 1).numpy(), atol=1e-6)
    pooled = torch.nn.functional.adaptive_avg_pool1d(torch.from_numpy(grids[0]), 3).numpy()
    assert_allclose(adaptive_mean(grids[0], 3), pooled, atol=1e-6)


def test_a_coreset_covers_what_it_leaves_out() -> None:
    features = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    chosen = greedy_coreset(features, 40)
    assert len(set(chosen.tolist())) == 40
    gap = cdist(features, features[chosen]).min(axis=1).max()
    # Greedy choice: nobody lies farther from the subset than its last two members lie from the rest
    assert gap <= cdist(features[chosen[-1:]], features[chosen[:-1]]).min() + 1e-5
    with pytest.raises(ConfigError, match="expected 1 to 200"):
        greedy_coreset(features, 201)


def test_duplicates_are_taken_last() -> None:
    features = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    rows = greedy_coreset(features, 3)
    assert_array_equal(np.sort(rows // 4), [0, 1, 2])
