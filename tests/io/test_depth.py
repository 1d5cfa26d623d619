"""The mapping of deep pixels to 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomalyclip.io.depth import Raster, full_scale, opacity, positive, to_uint8


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.array([0, 0], np.uint16), (0, 255)),
        (np.array([0, 255], np.uint16), (0, 255)),
        (np.array([0, 1023], np.int32), (0, 1023)),
        (np.array([0, 1024], np.int32), (0, 4095)),
        (np.array([0, 4096], np.uint16), (0, 16383)),
        (np.array([0, 16384], np.uint16), (0, 65535)),
        (np.array([5, 65536], np.uint32), (5, 65536)),
        (np.array([-1, 9], np.int16), (-1, 9)),
        (np.array([0.2, 0.4]), (0, 1)),
        (np.array([0.2, 1.5]), (0.2, 1.5)),
        (np.array([np.nan, np.inf]), (0, 1)),
        (np.array([3.0, 3.0]), (3, 4)),
    ],
)
def test_full_scale(values, scale):
    assert full_scale(values) == scale


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)))
def test_sixteen_bits_are_monotonic_exact_and_agree_with_other_dtypes(values):
    levels = to_uint8(values)
    white = full_scale(values)[1]
    assert np.abs(levels - values * (255 / white)).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(levels, to_uint8(values.astype(np.int64)))  # the table equals the arithmetic


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(width=64)))
def test_any_floats_become_eight_bits_without_a_warning(values):
    levels = to_uint8(values)
    assert levels.dtype == np.uint8
    assert not levels[np.isnan(values)].any()
    assert (levels[values == -np.inf] == 0).all()
    assert (levels[values == np.inf] == 255).all()


def test_images_of_one_camera_share_one_mapping():
    """Two 12-bit exposures with different maxima map equal counts to equal levels."""
    bright, dark = np.array([[500, 4000]], np.uint16), np.array([[500, 1100]], np.uint16)
    assert to_uint8(bright)[0, 0] == to_uint8(dark)[0, 0] == round(500 * 255 / 4095)


def test_tall_images_are_mapped_as_one():
    values = np.linspace(-5, 5, 1000)[:, None]  # more rows than one strip
    np.testing.assert_array_equal(to_uint8(values)[:, 0], np.floor((values[:, 0] + 5) * 25.5 + 0.5))


def test_opacity_and_foreground():
    np.testing.assert_allclose(opacity(np.array([0, 255], np.uint8)), [0, 1])
    np.testing.assert_allclose(opacity(np.array([0, 65535], np.uint16)), [0, 1])
    np.testing.assert_allclose(opacity(np.array([0.5, 2.0, np.nan])), [0.5, 1, 0])
    values = np.array([[[0, 0, 0], [0, 1, 0]]], np.uint16)
    np.testing.assert_array_equal(positive(Raster(values)), [[False, True]])
    np.testing.assert_array_equal(positive(Raster(values, np.array([[1, 0]], np.uint16))), [[False, False]])
