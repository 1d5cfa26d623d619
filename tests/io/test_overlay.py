"""What the overlay promises: a fixed scale, an untouched image where nothing is suspicious, readable furniture."""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalyclip.errors import InputError
from anomalyclip.io import draw_overlay
from anomalyclip.io.furniture import caption_parts
from anomalyclip.io.overlay import blend, colour_column, colours


def bare(image: Image.Image, heat: np.ndarray, **options: object) -> np.ndarray:
    return np.asarray(draw_overlay(image, heat, colour_bar=False, **options)).astype(int)


@pytest.fixture
def photo(rgb) -> Image.Image:
    return Image.fromarray(rgb)


def test_the_colours_are_inferno():
    table = matplotlib.colormaps["inferno"](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(colours() - table).max() <= 1


def test_lightness_rises_evenly():
    lightness = cv2.cvtColor(colours()[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, :, 0]
    steps = np.diff(lightness[:: len(lightness) // 16])
    assert steps.min() > 0
    assert steps.max() < 2.5 * steps.min()


def test_zero_leaves_the_image_and_the_input_untouched(photo, rgb):
    heat = np.zeros((23, 31), np.float32)
    np.testing.assert_array_equal(bare(photo, heat), rgb)
    bare(photo, heat + 1, threshold=0.5)
    np.testing.assert_array_equal(np.asarray(photo), rgb)
    assert not heat.any()


def test_blending_equals_the_formula(photo, rgb):
    heat = np.random.default_rng(0).random((23, 31), dtype=np.float32)
    level = np.rint(heat * 255).astype(int)
    part = (level / 255 * 0.65)[..., None]
    expected = rgb * (1 - part) + colours()[level] * part
    assert np.abs(bare(photo, heat) - expected).max() <= 0.51


def test_a_tall_picture_is_blended_where_the_map_says_so():
    """It is drawn in strips, of which some have nothing to draw."""
    rng = np.random.default_rng(1)
    pixels, heat = rng.integers(0, 256, (700, 9, 3), dtype=np.uint8), np.zeros((700, 9), np.float32)
    heat[[0, 127, 128, 300, 699]] = rng.random((5, 9), dtype=np.float32)
    part = 0.65 * heat[..., None]
    expected = pixels * (1 - part) + colours()[np.rint(heat * 255).astype(int)] * part
    drawn = bare(Image.fromarray(pixels), heat)
    assert np.abs(drawn - expected).max() <= 1.1  # the opacity has 256 levels, too
    np.testing.assert_array_equal(drawn[~heat.any(axis=1)], pixels[~heat.any(axis=1)])


def test_the_scale_is_fixed_not_stretched_to_the_image(photo):
    """A weak map stays weak: the same value gives the same colour whatever else is in the map."""
    weak, mixed = np.full((23, 31), 0.2), np.full((23, 31), 0.2)
    mixed[0, 0] = 1.0
    np.testing.assert_array_equal(bare(photo, weak)[5:], bare(photo, mixed)[5:])
    assert (
        np.abs(bare(photo, weak) - np.asarray(photo)).mean() < np.abs(bare(photo, weak * 4) - np.asarray(photo)).mean()
    )


def test_limits_clip_and_nan_has_no_colour(photo, rgb):
    heat = np.full((23, 31), 0.5)
    np.testing.assert_array_equal(bare(photo, heat, vmin=0.5), rgb)
    np.testing.assert_array_equal(bare(photo, heat, vmax=0.5), bare(photo, heat * 9))
    np.testing.assert_array_equal(bare(photo, heat, vmin=0.25, vmax=0.75), bare(photo, heat))
    np.testing.assert_array_equal(bare(photo, heat * np.nan), rgb)
    np.testing.assert_array_equal(bare(photo, heat, alpha=0.0), rgb)


def test_a_map_of_another_size_is_fitted(photo):
    assert bare(photo, np.ones((4, 5))).shape == (23, 31, 3)
    np.testing.assert_array_equal(bare(photo, np.ones((4, 5))), bare(photo, np.ones((23, 31))))


def test_threshold_outlines_the_area():
    grey, heat = Image.new("RGB", (100, 80), (128, 128, 128)), np.zeros((80, 100), np.float32)
    heat[20:60, 30:70] = 0.5
    plain, outlined = bare(grey, heat), bare(grey, heat, threshold=0.5)
    changed = (plain != outlined).any(axis=-1)
    assert changed[20, 30:70].all()  # the border of the area, reached with >=
    assert changed[20:60, 30].all()
    assert not changed[30:50, 40:60].any()
    assert not changed[:15].any()
    np.testing.assert_array_equal(bare(grey, heat, threshold=0.51), plain)


def test_regions_are_framed():
    grey, heat = Image.new("RGB", (100, 80), (128, 128, 128)), np.zeros((80, 100), np.float32)
    changed = (bare(grey, heat, regions=[[30, 20, 40, 30]]) != 128).any(axis=-1)
    assert changed[20, 30:70].all()
    assert changed[49, 30:70].all()
    assert changed[20:50, 69].all()
    assert not changed[24:46, 34:66].any()
    assert not changed[55:].any()


def test_furniture_stands_beside_the_picture():
    photo, heat = Image.new("RGB", (300, 260), (40, 90, 120)), np.zeros((260, 300), np.float32)
    full = draw_overlay(photo, heat, threshold=0.5, score=0.42, decision="normal", side_by_side=True)
    got = np.asarray(full)
    assert got.shape[0] > 260
    assert got.shape[1] > 600
    np.testing.assert_array_equal(got[:260, :300], np.asarray(photo))
    assert (got[260:] < 128).any()  # the caption's ink
    other = np.asarray(draw_overlay(photo, heat, threshold=0.5, score=0.43, decision="normal", side_by_side=True))
    assert (got[:260] == other[:260]).all()
    assert (got[260:] != other[260:]).any()


def test_what_was_drawn_before_changes_nothing():
    photo, heat = Image.new("RGB", (300, 260), (40, 90, 120)), np.zeros((260, 300), np.float32)

    def drawn(threshold: float, score: float) -> Image.Image:
        return draw_overlay(photo, heat, threshold=threshold, score=score, decision="normal")

    first = drawn(0.5, 0.42)
    before = np.array(first)
    first.paste((0, 0, 0), (0, 0, *first.size))
    other = np.asarray(drawn(0.8, 0.43))
    assert (other[:260, 300:] != before[:260, 300:]).any(), "the line on the colour bar moves"
    assert (other[260:] != before[260:]).any()
    np.testing.assert_array_equal(np.asarray(drawn(0.5, 0.42)), before)


def test_the_caption_tells_the_two_thresholds_apart():
    assert [words for words, _ in caption_parts(0.96, "normal", 0.98, 0.944)] == [
        "score 0.960", "normal, below 0.980", "regions from 0.944",
    ]  # fmt: skip
    assert [words for words, _ in caption_parts(0.96, None, None, 0.9)] == ["score 0.960", "regions from 0.900"]
    photo, heat = Image.new("RGB", (300, 260)), np.zeros((260, 300), np.float32)
    options = {"score": 0.42, "decision": "normal", "threshold": 0.9}
    low, high = (np.asarray(draw_overlay(photo, heat, score_threshold=at, **options)) for at in (0.5, 0.8))
    assert low.shape == high.shape
    assert (low[260:] != high[260:]).any(), "what the score was compared with stands in the caption"


def test_the_bar_runs_from_the_images_grey_to_the_colour():
    column = colour_column(0.65)
    assert (column[0] == 128).all()
    assert np.abs(column[-1] - (128 * 0.35 + colours()[-1] * 0.65)).max() <= 1
    picture = np.asarray(draw_overlay(Image.new("RGB", (300, 300)), np.zeros((300, 300)), alpha=1.0))
    strip = picture[:, 300:].reshape(-1, 3)
    for level in (64, 128, 192, 255):
        assert np.abs(strip.astype(int) - colour_column(1.0)[level]).max(axis=-1).min() <= 2


def test_small_images_are_enlarged_only_when_text_stands_beside_them():
    tiny, heat = Image.new("RGB", (32, 20)), np.zeros((20, 32))
    assert draw_overlay(tiny, heat, colour_bar=False).size == (32, 20)
    width, height = draw_overlay(tiny, heat).size
    assert width > 256
    assert height >= 160


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.booleans(), st.booleans(), st.booleans())
def test_any_size_with_any_furniture(width, height, bar, pair, caption):
    heat = np.linspace(0, 1, width * height, dtype=np.float32).reshape(height, width)
    options = {"score": 0.5, "decision": "anomalous"} if caption else {}
    out = draw_overlay(
        Image.new("L", (width, height)),
        heat,
        threshold=0.5,
        colour_bar=bar,
        side_by_side=pair,
        regions=[[0, 0, 1, 1]],
        **options,
    )
    assert out.mode == "RGB"
    assert out.width >= width
    assert out.height >= height


def test_absurd_aspect():
    assert draw_overlay(Image.new("RGB", (1, 5000)), np.zeros((5000, 1)), score=1.0).height >= 5000


def test_blend_works_in_strips():
    rng = np.random.default_rng(6)
    picture, unit = rng.integers(0, 256, (300, 7, 3), dtype=np.uint8), rng.random((300, 7), dtype=np.float32)
    rows = picture.copy()
    for i in range(300):
        blend(rows[i : i + 1], unit[i : i + 1], 0.5)
    blend(picture, unit, 0.5)
    np.testing.assert_array_equal(picture, rows)


def test_bad_arguments(photo):
    heat = np.zeros((23, 31))
    with pytest.raises(InputError, match="vmin below vmax"):
        draw_overlay(photo, heat, vmin=1.0, vmax=1.0)
    with pytest.raises(InputError, match=r"alpha is 1\.5"):
        draw_overlay(photo, heat, alpha=1.5)
    with pytest.raises(InputError, match=r"\(1, 23, 31\)"):
        draw_overlay(photo, heat[None])
