"""Tiles of one axis: inside, covering, overlapping as asked, and weights that sum to one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anomalyclip.geometry.tiling import tile_starts, tile_weights

LENGTHS = st.integers(1, 1200)
TILES = st.integers(16, 300)
OVERLAPS = st.floats(0, 0.75)


@given(LENGTHS, TILES, OVERLAPS)
@example(1, 16, 0.75)
@example(17, 16, 0.0)
@example(1024, 512, 0.0)
def test_tiles_lie_inside_and_share_what_was_asked(length: int, tile: int, overlap: float) -> None:
    starts = tile_starts(length, tile, overlap)
    side = min(tile, length)
    assert starts[0] == 0
    assert starts[-1] + side == length
    for before, after in pairwise(starts):
        shared = before + side - after
        assert after > before
        assert shared >= min(overlap * tile, tile - 1) - 1, "evenly spread, so within the rounding of one pixel"


@given(LENGTHS, TILES, OVERLAPS)
@example(1, 16, 0.5)
@example(1024, 512, 0.0)
def test_weights_are_a_partition_of_unity(length: int, tile: int, overlap: float) -> None:
    starts = tile_starts(length, tile, overlap)
    total = np.zeros(length)
    for start, weights in zip(starts, tile_weights(length, tile, starts), strict=True):
        assert weights.dtype == np.float32
        assert weights.min() >= 0
        total[start : start + len(weights)] += weights
    np.testing.assert_allclose(total, 1, atol=3e-7)


@given(LENGTHS, st.integers(0, 100))
def test_a_single_tile_counts_exactly_one(length: int, more: int) -> None:
    (weights,) = tile_weights(length, length + more, [0])
    assert (weights == 1).all()
    assert len(weights) == length


def test_weights_fade_out_without_a_step() -> None:
    starts = tile_starts(1000, 400, 0.25)
    left, middle, _ = tile_weights(1000, 400, starts)
    assert (left[:300] == 1).all(), "alone where it is alone"
    assert np.abs(np.diff(middle)).max() < 0.025, "100 pixels of overlap, no jump"
    assert left[-1] < 1e-4


@pytest.mark.parametrize(("length", "tile"), [(997, 256), (7919, 512)])  # primes
def test_no_more_tiles_than_needed(length: int, tile: int) -> None:
    starts = tile_starts(length, tile, 0.25)
    fewer = len(starts) - 1
    assert fewer * tile - (fewer - 1) * 0.25 * tile < length
