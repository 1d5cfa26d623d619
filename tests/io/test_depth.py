"""The rule for pixels deeper than 8 bits, against arithmetic done here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomalyclip.errors import ConfigError
from anomalyclip.io.decoding import to_rgb
from anomalyclip.io.depth import Raster, Scale, Stated, finite_range, opacity, over_white, positive, scale_of, to_uint8
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.refusal import Refusal


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.array([0, 255], np.uint8), (0, 255)),
        (np.array([0, 60000], np.uint16), (0, 65535)),
        (np.array([0, 40], np.uint16), (0, 65535)),  # the convention, however dark the picture
        (np.array([0, 40], np.int16), (0, 32767)),
        (np.array([0, 40], np.uint32), (0, 65535)),
        (np.array([0, 70_000], np.uint32), (0, 70_000)),
        (np.array([-4, 9], np.int16), (-4, 9)),
        (np.array([0.1, 0.4]), (0, 1)),
        (np.array([-0.01, 1.06]), (0, 1)),  # what resampling overshoots
        (np.array([0.1, 3.0]), (0, 255)),
        (np.array([60.0, 160.0]), (0, 255)),
        (np.array([0.0, 4000.0]), (0, 65535)),
        (np.array([0.0, 1e9]), (0, 1e9)),
        (np.array([-2.0, 6.0, np.inf, np.nan]), (-2, 6)),
        (np.array([5.0, np.nan]) - 9, (-4, 0)),
        (np.array([np.nan]), (0, 1)),
        (np.array([], np.float32), (0, 1)),
    ],
)
def test_scale_without_a_word_of_the_file(values, scale):
    assert tuple(scale_of(values)[:2]) == scale


def test_the_files_word_comes_before_the_callers_and_both_before_a_guess():
    stated, values = Stated(10, 4095, "SMaxSampleValue"), np.array([0, 3000], np.uint16)
    assert scale_of(values, stated, 1023) == Scale(10, 4095)
    assert scale_of(values, None, 1023)[:2] == (0, 1023)
    assert "full_scale" in str(scale_of(values, None, 1023).note)
    assert scale_of(values[:1] // 2 + 300.0, None, 1023)[:2] == (0, 1023)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.array([0, 1040], np.uint16), "1040 of 65535"),
        (np.array([0.0, 0.5]), "1 taken as white"),
        (np.array([60.0, 160.0]), "255 taken as white"),
        (np.array([np.nan]), "no finite value"),
    ],
)
def test_whatever_the_file_does_not_say_is_told(values, told):
    assert told in str(scale_of(values).note)


@pytest.mark.parametrize("values", [np.array([-3, 160], np.int32), np.array([-20.0, 40.0]), np.array([0.0, 1e9])])
def test_what_has_no_scale_but_its_own_is_refused_with_both_ends(values):
    assert scale_of(values).own
    with pytest.raises(Refusal, match=f"--full-scale {values.min():g}:{values.max():g}".replace("+", r"\+")):
        to_rgb(Raster(values[None]), 1)
    shown = np.asarray(to_rgb(Raster(values[None]), 1, (float(values.min()), float(values.max()))))
    assert (shown.min(), shown.max()) == (0, 255)
    assert scale_of(values, None, (-7.0, 9.0))[:2] == (-7, 9)


@pytest.mark.parametrize("given", [0, -5, "nan", "4:3", "1:2:3", "", "x", True, float("inf"), (1, 1), [True, 2]])
def test_full_scales_that_cannot_be_are_refused(given):
    with pytest.raises(ConfigError, match=r"full_scale .*BLACK:WHITE"):
        parse_full_scale(given)


def test_what_the_file_says_and_what_contradicts_it():
    assert scale_of(np.array([0, 60000], np.uint16)).note is None
    assert scale_of(np.array([0, 255], np.uint8)).note is None
    assert scale_of(np.array([9, 4095], np.uint16), Stated(0, 4095, "sBIT 12")).note is None
    assert "beyond the 4095 of SMax" in str(scale_of(np.array([4096], np.uint16), Stated(0, 4095, "SMax")).note)


@given(
    hnp.arrays(st.sampled_from([np.uint16, np.uint8]), hnp.array_shapes(min_dims=2, max_dims=3)), st.integers(1, 65535)
)
def test_integers_become_the_nearest_level(values, white):
    levels = to_uint8(values, Scale(0, white))
    exact = np.minimum(values.astype(np.float64), white) * 255 / white
    assert np.abs(levels - exact).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(levels, to_uint8(values.astype(np.int64), Scale(0, white)))  # table = arithmetic


@settings(max_examples=60)
@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), hnp.array_shapes(min_dims=2, max_dims=2)))
def test_floats_of_any_kind_become_eight_bits_without_a_warning(values):
    levels = to_uint8(values)
    assert levels.dtype == np.uint8
    assert not levels[np.isnan(values)].any()
    assert (levels[values == -np.inf] == 0).all()
    assert (levels[values == np.inf] == 255).all()


@pytest.mark.parametrize(("first", "second"), [(1000, 1040), (4000, 4160), (16000, 16640), (255, 257)])
def test_exposures_of_one_camera_keep_their_relation(first, second):
    """4 % more light is 4 % more, on either side of a power of two."""
    unit = np.linspace(0, 1, 64)[None]
    shown = [to_uint8((unit * top).round().astype(np.uint16), Scale(0, 4095)).max() for top in (first, second)]
    assert shown == [round(min(top, 4095) / 4095 * 255) for top in (first, second)]
    scales = {scale_of((unit * top).astype(np.uint16))[:2] for top in (first, second)}
    assert len(scales) == 1


def test_tall_images_are_mapped_as_one():
    values = np.linspace(-5, 5, 1000)[:, None]  # more rows than one band
    np.testing.assert_array_equal(to_uint8(values)[:, 0], np.floor((values[:, 0] + 5) * 25.5 + 0.5))
    assert finite_range(values) == (-5, 5)


def test_opacity_and_foreground():
    np.testing.assert_allclose(opacity(np.array([0, 255], np.uint8)), [0, 1])
    np.testing.assert_allclose(opacity(np.array([0, 65535], np.uint16)), [0, 1])
    np.testing.assert_allclose(opacity(np.array([0, 15], np.uint8), 15), [0, 1])
    np.testing.assert_allclose(opacity(np.array([0.5, 2.0, np.nan])), [0.5, 1, 0])
    values = np.array([[[0, 0, 0], [0, 1, 0]]], np.uint16)
    np.testing.assert_array_equal(positive(Raster(values)), [[False, True]])
    np.testing.assert_array_equal(positive(Raster(values, np.array([[1, 0]], np.uint16))), [[False, False]])
    inverted = Raster(
        np.array([[4095, 4094]], np.uint16), white_is_zero=True, stated=Stated(0, 4095, "BitsPerSample 12")
    )
    np.testing.assert_array_equal(positive(inverted), [[False, True]])


def test_alpha_is_laid_over_white_once_only():
    colour, alpha = np.array([[100, 50]], np.uint8), np.array([[255, 51]], np.uint8)
    plain = over_white(colour, Raster(colour, alpha))
    np.testing.assert_array_equal(plain, [[100, 214]])  # 50 / 5 + 255 * 4 / 5
    np.testing.assert_array_equal(over_white(colour, Raster(colour, alpha, premultiplied=True)), [[100, 254]])
    np.testing.assert_array_equal(colour, [[100, 50]])  # the caller's pixels stay
