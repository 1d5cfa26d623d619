"""A picture's numbers are its own: to the last bit the same alone and in a batch, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.encoders.base import Features, together
from anomalyclip.encoders.formats import installed
from anomalyclip.geometry import Geometry
from anomalyclip.native import why_not

RUNTIMES = [
    pytest.param({}, id="embedded"),
    pytest.param({"runtime": "torch"}, id="torch"),
    pytest.param(
        {"runtime": "openvino"}, id="openvino", marks=pytest.mark.skipif(not installed("openvino"), reason="OpenVINO")
    ),
    pytest.param(
        {"runtime": "native", "precision": "int8"},
        id="native",
        marks=pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8"))),
    ),
]


def pictures(count: int, seed: int = 0) -> list[Image.Image]:
    """Noise of several sizes: no two logits alike."""
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (40 + 9 * i, 64, 3), dtype=np.uint8)) for i in range(count)]


@pytest.mark.parametrize("options", RUNTIMES)
def test_a_picture_is_judged_alike_alone_and_in_a_batch(options: dict[str, Any]) -> None:
    model = anomalyclip.load("pocket", device="cpu", **options)
    pixels = np.stack([model.preprocess(one) for one in pictures(5)])
    alone = [model.predict(one[None]) for one in pixels]
    for count in (2, 3, 5):
        scores, maps = model.predict(pixels[:count])
        for index in range(count):
            np.testing.assert_array_equal(scores[index], alone[index][0][0])
            np.testing.assert_array_equal(maps[index], alone[index][1][0])
    features = model.features(pixels)  # kept features of many pictures are judged so, too
    np.testing.assert_array_equal(model.verdict(features)[0], [score for (score,), _ in alone])


def test_a_line_judges_a_picture_alike_alone_and_in_a_batch() -> None:
    model = anomalyclip.load("pocket")
    line = model.calibrate(pictures(5, seed=1), fpr=0.2).judging(model, Geometry())
    given = pictures(3)
    joint = line.detect(given, batch_size=3)
    for one, found in zip(given, joint, strict=True):
        alone = line.detect(one)
        assert found.score == alone.score
        np.testing.assert_array_equal(found.anomaly_map, alone.anomaly_map)


def test_features_come_apart_and_jointagain() -> None:
    rng = np.random.default_rng(2)
    given = Features(
        (2, 2),
        rng.normal(size=(3, 4)),
        patches={1: rng.normal(size=(3, 4, 4)), 2: rng.normal(size=(3, 4, 4))},
        verdict=(rng.random(3), rng.random((3, 8, 8))),
    )
    parts = given.singly()
    assert [len(one) for one in parts] == [1, 1, 1]
    again = together(parts)
    np.testing.assert_array_equal(again.image, given.image)
    np.testing.assert_array_equal(again.patches[2], given.patches[2])
    assert given.verdict is not None
    assert again.verdict is not None
    np.testing.assert_array_equal(again.verdict[1], given.verdict[1])
    assert (again.grid, again.tokens) == ((2, 2), {})
