"""Regions against scipy.ndimage's labelling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry.regions import find_regions

MAPS = arrays(
    np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.floats(0, 1, width=32), fill=st.just(0.0)
)


@settings(max_examples=150)
@given(MAPS, st.floats(0, 1), st.integers(1, 4))
def test_equals_scipy(anomaly_map: np.ndarray, threshold: float, min_area: int) -> None:
    labels, count = ndimage.label(anomaly_map >= np.float32(threshold), structure=np.ones((3, 3)))
    expected = []
    for i, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels == i
        if inside.sum() >= min_area:
            box = [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start]
            values = anomaly_map[inside]
            expected.append((box, int(inside.sum()), float(values.max()), float(values.mean(dtype=np.float64))))
    found = find_regions(anomaly_map, threshold, min_area=min_area)
    assert count >= len(found)
    assert [(r["box"], r["area"], r["peak"]) for r in sorted(found, key=lambda r: (r["box"], r["area"]))] == [
        e[:3] for e in sorted(expected)
    ]
    assert sorted(r["mean"] for r in found) == pytest.approx(sorted(e[3] for e in expected))
    assert [r["peak"] for r in found] == sorted((r["peak"] for r in found), reverse=True)
    for region in found:
        centre = ndimage.center_of_mass(labels == labels[region["peak_xy"][1], region["peak_xy"][0]])
        assert region["centroid"] == pytest.approx(centre[::-1], abs=0.006)
        x, y = region["peak_xy"]
        assert float(anomaly_map[y, x]) == region["peak"]
        assert labels[y, x] > 0


def test_diagonal_neighbours_are_one_region_and_the_threshold_itself_counts() -> None:
    anomaly_map = np.array([[0.3, 0, 0], [0, 0.9, 0], [0, 0, 0]], dtype=np.float32)
    (region,) = find_regions(anomaly_map, 0.3)
    assert region == {
        "box": [0, 0, 2, 2],
        "area": 2,
        "peak": pytest.approx(0.9),
        "peak_xy": [1, 1],
        "mean": pytest.approx(0.6),
        "centroid": [0.5, 0.5],
    }


def test_no_threshold_no_regions() -> None:
    assert find_regions(np.ones((3, 3), dtype=np.float32), None) == []


def test_bad_arguments_are_named() -> None:
    with pytest.raises(InputError, match=r"\(2, 2, 2\)"):
        find_regions(np.ones((2, 2, 2), dtype=np.float32), 0.5)
    with pytest.raises(ConfigError, match="min_area=0"):
        find_regions(np.ones((2, 2), dtype=np.float32), 0.5, min_area=0)
