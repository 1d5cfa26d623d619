"""Outlines against shapely: valid, and covering exactly their pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from shapely.geometry import MultiPolygon, shape

from anomalyclip.geometry.outlines import outline

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def covered(polygons: MultiPolygon, size: tuple[int, int]) -> np.ndarray:
    """Which pixel centres lie inside."""
    x, y = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    return shapely.contains_xy(polygons, x, y)


@settings(max_examples=300)
@given(MASKS)
def test_covers_exactly_the_pixels(inside: np.ndarray) -> None:
    coordinates = outline(inside)
    polygons = shape({"type": "MultiPolygon", "coordinates": coordinates})
    assert polygons.is_valid, shapely.is_valid_reason(polygons)
    assert polygons.area == inside.sum()
    assert np.array_equal(covered(polygons, inside.shape), inside)
    assert len(coordinates) == ndimage.label(inside)[1], "one polygon per 4-connected part"
    for polygon in coordinates:
        rings = [shapely.LinearRing(ring) for ring in polygon]
        assert [ring.is_ccw for ring in rings] == [True] + [False] * (len(rings) - 1)
        for ring in polygon:
            assert ring[0] == ring[-1]
            turns = np.abs(np.diff(np.array([*ring, ring[1]]), axis=0)) > 0
            assert np.array_equal(turns[1:], ~turns[:-1]), "corners only: horizontal and vertical edges take turns"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["#"], [[[[10, 20], [11, 20], [11, 21], [10, 21], [10, 20]]]]),
        ([".."], []),
    ],
)
def test_plain_cases(rows: list[str], expected: list[object]) -> None:
    inside = np.array([[cell == "#" for cell in row] for row in rows])
    assert outline(inside, (10, 20)) == expected


def test_a_ring_has_a_hole_and_a_bay_that_touches_is_a_hole_too() -> None:
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert [len(polygon) for polygon in outline(ring)] == [2]
    ring[2, 2] = False  # opens the hole at a corner: still a valid polygon with a hole that touches the outside
    assert [len(polygon) for polygon in outline(ring)] == [2]
