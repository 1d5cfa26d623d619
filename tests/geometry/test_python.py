"""`model.detect(..., tile=..., roi=...)`: the same numbers as the layer below, and what a Prediction then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detecting import survey
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Area, Box, Geometry


def test_tiles_from_python_are_those_of_survey(small_clip: Detector, noise: Any) -> None:
    image = noise(150, 90)
    expected = survey(small_clip, image, Geometry(tile=70, overlap=0.5, scales=(1, 2)))
    prediction = small_clip.detect(image, tile=70, overlap=0.5, scales=(1, 2), batch_size=7, threshold=0.0)
    assert prediction.score == pytest.approx(expected.score, abs=1e-6)
    np.testing.assert_allclose(prediction.anomaly_map, expected.anomaly_map, atol=1e-6)
    assert prediction.geometry == expected.record
    assert (prediction.valid, prediction.decision) == (None, "anomalous")


def test_a_list_keeps_its_order_and_masks_are_found_by_name(small_clip: Detector, noise: Any, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    ignore = np.zeros((60, 80), bool)
    ignore[:, 40:] = True
    Image.fromarray(ignore).save(tmp_path / "masks" / "a.png")
    for i, name in enumerate("ab"):
        noise(80, 60, i).save(tmp_path / f"{name}.bmp")
    found = small_clip.detect(
        [tmp_path / "a.bmp", tmp_path / "b.bmp"], roi=(10, 0, 60, 60), ignore_mask=tmp_path / "masks"
    )
    for prediction, masked in zip(found, (ignore, None), strict=True):
        area = Area.of((80, 60), Box(10, 0, 60, 60), masked)
        assert area is not None
        np.testing.assert_array_equal(prediction.valid, area.mask())
        assert not prediction.anomaly_map[~area.mask()].any()
        assert prediction.anomaly_map[area.mask()].all()
        assert prediction.overlay().size[0] >= 80


def test_what_does_not_count_is_dark_in_the_overlay(small_clip: Detector) -> None:
    from anomalyclip.io import draw_overlay

    white = Image.new("RGB", (300, 300), "white")
    valid = np.ones((300, 300), bool)
    valid[:, 150:] = False
    drawn = np.asarray(draw_overlay(white, np.zeros((300, 300)), valid=valid, colour_bar=False))
    assert (drawn[:, :150] == 255).all()
    assert drawn[:, 150:].max() < 130


def test_plain_keywords_change_nothing(small_clip: Detector, noise: Any) -> None:
    image = noise(50, 40)
    plain, told = small_clip.detect(image), small_clip.detect(image, tile=None, roi=None)
    assert plain.score == told.score
    np.testing.assert_array_equal(plain.anomaly_map, told.anomaly_map)


@pytest.mark.parametrize(
    ("layout", "error", "said"),
    [
        ({"tile": 3}, ConfigError, "tile 3"),
        ({"roi": (0, 0, 90, 9)}, InputError, "beyond the image of 50 x 40"),
        ({"tiles": 3}, TypeError, "tiles"),
        ({"batch_size": 0}, ConfigError, "batch_size"),
    ],
)
def test_wrong_keywords_are_named(
    small_clip: Detector, noise: Any, layout: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        small_clip.detect(noise(50, 40), **layout)
