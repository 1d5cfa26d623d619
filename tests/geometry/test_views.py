"""Which boxes of an image go through the model, at which input size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.errors import ConfigError
from anomalyclip.geometry import Area, Box, Geometry, plan_views
from anomalyclip.geometry.aspect import MOST_RATIO, fitted_size

SIZES = st.tuples(st.integers(1, 700), st.integers(1, 700))


@given(SIZES, st.integers(100, 300), st.sampled_from([(1.0,), (0.5, 1.0, 2.0)]))
def test_the_weights_of_every_scale_sum_to_one_at_every_pixel(
    size: tuple[int, int], tile: int, scales: tuple[float, ...]
) -> None:
    views = plan_views(size, Geometry(tile=tile, scales=scales))
    for scale in range(len(scales)):
        total = np.zeros(size[::-1])
        for view in (v for v in views if v.scale == scale):
            x, y, width, height = view.box
            total[y : y + height, x : x + width] += np.outer(view.rows, view.columns)
        np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (997, 991), (60, 1200), (50, 40)])
@pytest.mark.parametrize("geometry", [Geometry(), Geometry(tile=5000)])
def test_an_image_that_fits_is_one_plain_view(size: tuple[int, int], geometry: Geometry) -> None:
    (view,) = plan_views(size, geometry)
    assert (view.box, view.size, view.scale) == (Box(0, 0, *size), None, 0)
    assert (view.rows == 1).all()
    assert (view.columns == 1).all()


def test_a_scale_changes_the_tiles_or_the_input(small_clip: Any) -> None:
    tiled = plan_views((1000, 400), Geometry(tile=400, overlap=0, scales=(0.5, 1, 2)), small_clip.sizes)
    assert [sum(v.scale == s for v in tiled) for s in range(3)] == [2, 3, 10]
    assert {(v.box.width, v.box.height) for v in tiled} == {(800, 400), (400, 400), (200, 200)}
    assert {v.size for v in tiled} == {None}
    whole = plan_views((1000, 400), Geometry(scales=(0.5, 1, 2)), small_clip.sizes)
    assert [v.size for v in whole] == [(28, 28), None, (140, 140)], "whole patches of 14 pixels; 35 is rounded"


def test_proportions_are_kept_in_whole_patches_and_squares_stay_as_they_are(small_clip: Any) -> None:
    keep = Geometry(keep_aspect=True)
    assert [v.size for v in plan_views((300, 300), keep, small_clip.sizes)] == [None]
    assert [v.size for v in plan_views((400, 100), keep, small_clip.sizes)] == [(28, 140)]
    assert [v.size for v in plan_views((100, 400), keep, small_clip.sizes)] == [(140, 28)]


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([(320, 16), (518, 14), (70, 14), (30, 16)]))
def test_fitted_sizes_cost_no_more_and_are_in_proportion(width: int, height: int, model: tuple[int, int]) -> None:
    side, patch = model
    rows, columns = (length / patch for length in fitted_size(width, height, side, patch))
    assert rows == int(rows) >= 1
    assert columns == int(columns) >= 1
    patches = side // patch
    assert rows * columns <= (patches + 1) ** 2, "about as many patches as the model's own square"
    ratio = min(max(width / height, 1 / MOST_RATIO), MOST_RATIO)
    # Both sides are rounded to the next whole patch, by half a patch at most.
    assert (columns - 0.5) / (rows + 0.5) <= ratio * 1.001
    assert (columns + 0.5) / max(rows - 0.5, 0.5) >= ratio * 0.999


def test_tiles_without_a_pixel_that_counts_are_left_out() -> None:
    ignore = np.zeros((400, 400), bool)
    ignore[:, 150:] = True
    views = plan_views((400, 400), Geometry(tile=100, overlap=0), area=Area.of((400, 400), None, ignore))
    assert len(views) == 8
    assert {v.box.x for v in views} == {0, 100}


def test_views_lie_in_the_box_of_the_region_of_interest() -> None:
    area = Area.of((400, 300), Box(50, 60, 210, 101), None)
    views = plan_views((400, 300), Geometry(tile=100, overlap=0.1), area=area)
    assert (min(v.box.x for v in views), min(v.box.y for v in views)) == (50, 60)
    assert max(v.box.x + v.box.width for v in views) == 260
    assert max(v.box.y + v.box.height for v in views) == 161


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tile": 4}, "tile 4"),
        ({"overlap": 0.9}, "overlap 0.9"),
        ({"overlap": float("nan")}, "overlap nan"),
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, float("nan"))}, "nan"),
        ({"scales": (0.001,)}, "0.001"),
        ({"scales": (2.0, 2.0)}, "twice"),
    ],
)
def test_values_out_of_range_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Geometry(**values)


def test_a_detector_of_one_size_refuses_others_and_is_told_the_way_on(brightness: Any, small_clip: Any) -> None:
    for geometry in (Geometry(keep_aspect=True), Geometry(scales=(1, 2))):
        small_clip.check(geometry)
        with pytest.raises(ConfigError, match="--tile"):
            brightness.check(geometry)
    brightness.check(Geometry(tile=100, scales=(1, 2)))


def test_settings_tell_what_differs_from_plain() -> None:
    assert Geometry().settings() == {}
    assert Geometry(overlap=0.5).plain
    assert not Geometry(tile=100).plain
    assert Geometry(tile=100, scales=(0.5, 1), keep_aspect=True).settings() == {
        "tile": 100,
        "overlap": 0.25,
        "scales": [0.5, 1],
        "keep_aspect": True,
    }
