"""One image in any geometry: equal to the single pass where that is possible, no seam where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detecting import survey
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError
from anomalyclip.geometry import Area, Box, Geometry

ODD = [(1, 1), (1, 300), (211, 1), (97, 89), (20, 400), (70, 70), (400, 20)]


def one_pass(model: Detector, image: Image.Image) -> tuple[float, Any]:
    prediction = model.detect(image)
    return prediction.score, prediction.anomaly_map


@pytest.mark.parametrize("size", ODD)
@pytest.mark.parametrize("geometry", [Geometry(), Geometry(tile=400), Geometry(tile=9999, overlap=0.75)])
def test_where_the_image_fits_in_a_tile_it_is_the_single_pass_bit_by_bit(
    small_clip: Detector, noise: Any, size: tuple[int, int], geometry: Geometry
) -> None:
    image = noise(*size)
    score, expected = one_pass(small_clip, image)
    found = survey(small_clip, image, geometry)
    assert found.score == score
    assert found.anomaly_map.dtype == np.float32
    np.testing.assert_array_equal(found.anomaly_map, expected)
    assert found.record is None


@pytest.mark.parametrize("size", [(1, 300), (211, 89), (20, 400), (223, 219)])
@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(tile=64),
        Geometry(tile=64, overlap=0.5, scales=(0.5, 2)),
        Geometry(scales=(0.5, 1)),
        Geometry(keep_aspect=True),
        Geometry(tile=50, keep_aspect=True, scales=(1, 0.25)),
    ],
)
def test_any_size_in_any_geometry_gives_a_map_of_its_own_size_in_range(
    small_clip: Detector, noise: Any, size: tuple[int, int], geometry: Geometry
) -> None:
    found = survey(small_clip, noise(*size), geometry, batch_size=16)
    assert found.anomaly_map.shape == size[::-1]
    assert found.anomaly_map.min() >= 0
    assert found.anomaly_map.max() <= 1
    assert 0 <= found.score <= 1
    assert (found.record is None) == (geometry.keep_aspect and size == (223, 219) and geometry.tile is None)


def test_tiles_at_the_models_own_size_give_each_pixel_its_own_value(brightness: Any, noise: Any) -> None:
    """Nothing is resized, so a model without context must give the image back: weights sum to one, places are right."""
    image = noise(145, 101)
    found = survey(brightness, image, Geometry(tile=32, overlap=0.3), batch_size=5)
    np.testing.assert_allclose(found.anomaly_map, np.asarray(image, np.float32).mean(axis=2) / 255, atol=1e-6)
    assert max(shape[0] for shape in brightness.shapes) == 5


def test_tiles_differ_from_each_other_only_where_context_does(small_clip: Detector, noise: Any) -> None:
    """The map of two tiles is, where one tile counts alone, what that tile gives on its own."""
    image = noise(150, 100)
    found = survey(small_clip, image, Geometry(tile=100, overlap=0.5))
    for x, alone in ((0, np.s_[:, :50]), (50, np.s_[:, 100:])):
        own = np.zeros_like(found.anomaly_map)
        own[:, x : x + 100] = one_pass(small_clip, image.crop((x, 0, x + 100, 100)))[1]
        np.testing.assert_array_equal(found.anomaly_map[alone], own[alone])
    between = [one_pass(small_clip, image.crop((x, 0, x + 100, 100)))[1] for x in (0, 50)]
    low, high = np.minimum(between[0][:, 50:], between[1][:, :50]), np.maximum(between[0][:, 50:], between[1][:, :50])
    middle = found.anomaly_map[:, 50:100]
    assert (middle >= low - 1e-6).all()
    assert (middle <= high + 1e-6).all()


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_no_seam_shows_along_tile_borders(small_clip: Detector, noise: Any, overlap: float) -> None:
    """Gradient energy across tile borders against everywhere else, pooled over images."""
    from anomalyclip.geometry.tiling import tile_starts

    energy: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(6):
        found = survey(small_clip, noise(300, 300, seed), Geometry(tile=70, overlap=overlap), batch_size=32)
        starts = tile_starts(300, 70, overlap)
        borders = {b for start in starts for b in (start, start + 70)} - {0, 300}
        for axis in (0, 1):
            steps = (np.diff(found.anomaly_map, axis=axis) ** 2).mean(axis=1 - axis)
            for position, value in enumerate(steps, start=1):
                energy[position in borders].append(float(value))
    assert np.mean(energy[True]) <= 1.05 * np.mean(energy[False])


def test_without_blending_the_same_measure_finds_the_seams(small_clip: Detector, noise: Any) -> None:
    """The measure above must be able to fail: tiles laid side by side do."""
    whole = np.zeros((280, 280), np.float32)
    image = noise(280, 280, 3)
    for y in range(0, 280, 70):
        for x in range(0, 280, 70):
            whole[y : y + 70, x : x + 70] = one_pass(small_clip, image.crop((x, y, x + 70, y + 70)))[1]
    steps = (np.diff(whole, axis=0) ** 2).mean(axis=1)
    at = np.isin(np.arange(1, 280), (70, 140, 210))
    assert steps[at].mean() > 2 * steps[~at].mean()


def test_the_score_is_the_highest_tiles_and_the_mean_over_scales(small_clip: Detector, noise: Any) -> None:
    image = noise(140, 70)
    tiles = [one_pass(small_clip, image.crop((x, 0, x + 70, 70)))[0] for x in (0, 70)]
    assert survey(small_clip, image, Geometry(tile=70, overlap=0)).score == pytest.approx(max(tiles), abs=1e-6)
    both = survey(small_clip, image, Geometry(tile=70, overlap=0, scales=(1, 0.5))).score
    assert both == pytest.approx((max(tiles) + one_pass(small_clip, image)[0]) / 2, abs=1e-6)


def test_scales_average_the_maps(small_clip: Detector, noise: Any) -> None:
    image = noise(90, 90)
    parts = [survey(small_clip, image, Geometry(scales=(s,))).anomaly_map for s in (0.6, 1.0, 2.0)]
    found = survey(small_clip, image, Geometry(scales=(0.6, 1.0, 2.0)))
    np.testing.assert_allclose(found.anomaly_map, np.mean(parts, axis=0), atol=1e-6)
    np.testing.assert_array_equal(parts[1], one_pass(small_clip, image)[1])


def test_proportions_are_fed_as_patches_and_the_map_comes_back_in_place(small_clip: Detector, noise: Any) -> None:
    image = noise(400, 100)
    pixels = small_clip.preprocess(image, (28, 140))
    scores, maps = small_clip.predict(pixels[None])
    assert maps.shape == (1, 28, 140)
    found = survey(small_clip, image, Geometry(keep_aspect=True))
    assert found.score == pytest.approx(scores.item(), abs=1e-7)
    import cv2

    expected = cv2.resize(maps[0], (400, 100), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(found.anomaly_map, expected)


def test_outside_the_area_is_nothing_and_inside_is_what_the_crop_gives(small_clip: Detector, noise: Any) -> None:
    image, box = noise(200, 160), Box(37, 21, 90, 101)
    found = survey(small_clip, image, Geometry(), area=Area.of(image.size, box, None))
    score, expected = one_pass(small_clip, image.crop((37, 21, 127, 122)))
    assert found.score == score, "a box alone: the class token and the peak are of the crop"
    np.testing.assert_array_equal(found.anomaly_map[21:122, 37:127], expected)
    outside = found.anomaly_map.copy()
    outside[21:122, 37:127] = 0
    assert not outside.any()
    assert found.record == {"views": 1, "box": [37, 21, 90, 101], "inside": round(90 * 101 / 32000, 6)}


def test_an_ignored_peak_leaves_the_score(brightness: Any) -> None:
    """The map's half of the score comes from inside; the mean, as a class token would, has seen all."""
    pixels = np.full((32, 32, 3), 51, np.uint8)
    pixels[4:8, 4:8] = 255
    pixels[20:24, 20:24] = 153
    image = Image.fromarray(pixels)
    ignore = np.zeros((32, 32), bool)
    ignore[:12, :12] = True
    mean = pixels.mean() / 255
    assert survey(brightness, image, Geometry()).score == pytest.approx(0.5 * mean + 0.5)
    found = survey(brightness, image, Geometry(), area=Area.of((32, 32), None, ignore))
    assert found.score == pytest.approx(0.5 * mean + 0.5 * 0.6)
    assert found.anomaly_map.max() == pytest.approx(0.6)
    elsewhere = survey(brightness, image, Geometry(), area=Area.of((32, 32), None, np.roll(ignore, 16, axis=1)))
    assert elsewhere.score == pytest.approx(0.5 * mean + 0.5), "nothing of the peak was ignored"


def test_an_ignored_hot_share_leaves_the_score(brightness: Any) -> None:
    """As above where the peak is the mean of the hottest sixteenth: 64 of all pixels, 55 of those that count."""
    brightness.judge.peak = (0.5, 1 / 16)
    pixels = np.full((32, 32, 3), 51, np.uint8)
    pixels[4:8, 4:8] = 255
    pixels[20:24, 20:24] = 153
    image = Image.fromarray(pixels)
    ignore = np.zeros((32, 32), bool)
    ignore[:12, :12] = True
    whole = survey(brightness, image, Geometry()).score
    found = survey(brightness, image, Geometry(), area=Area.of((32, 32), None, ignore))
    everything = (16 * 1.0 + 16 * 0.6 + 32 * 0.2) / 64
    counting = (16 * 0.6 + 39 * 0.2) / 55
    assert whole - found.score == pytest.approx(0.5 * (everything - counting))


def test_ignored_tiles_cost_nothing_and_do_not_count(brightness: Any) -> None:
    pixels = np.full((32, 128, 3), 51, np.uint8)
    pixels[:, 64:] = 255
    ignore = np.zeros((32, 128), bool)
    ignore[:, 60:] = True
    found = survey(
        brightness, Image.fromarray(pixels), Geometry(tile=32, overlap=0), area=Area.of((128, 32), None, ignore)
    )
    assert sum(shape[0] for shape in brightness.shapes) == 2
    assert found.score == pytest.approx(0.2)
    assert found.anomaly_map[:, :60] == pytest.approx(0.2)
    assert not found.anomaly_map[:, 60:].any()


def test_progress_counts_views(brightness: Any, noise: Any) -> None:
    seen: list[tuple[int, int]] = []
    survey(
        brightness, noise(96, 64), Geometry(tile=32, overlap=0), batch_size=4, progress=lambda *told: seen.append(told)
    )
    assert seen == [(4, 6), (6, 6)]


def test_a_score_that_is_no_number_comes_through(brightness: Any, noise: Any) -> None:
    def predict(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = np.full(len(pixels), 0.5)
        scores[0] = np.nan
        return scores, pixels.mean(axis=1)

    brightness.predict = predict
    assert np.isnan(survey(brightness, noise(96, 32), Geometry(tile=32), batch_size=9).score)


def test_a_detector_of_one_size_is_not_fed_others(brightness: Any, noise: Any) -> None:
    with pytest.raises(ConfigError, match="one input size"):
        survey(brightness, noise(96, 32), Geometry(keep_aspect=True))
