"""The yardstick gives the reference implementation's recorded numbers, and ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalyclip.bench.reference import Reference
from anomalyclip.detector import Detector
from anomalyclip.judges.words import Words


def test_equal_to_the_recorded_numbers(tiny: Detector, golden: dict[str, np.ndarray]) -> None:
    scores, maps = Reference(tiny).predict(golden["images"])
    np.testing.assert_allclose(scores, golden["image_score"], atol=1e-5)
    np.testing.assert_allclose(3 * maps, golden["anomaly_map_sigma4"], atol=1e-5)  # the reference sums the layers


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": (2, 6)},
        {"dpam": "qk"},
        {"dpam": "kk", "dpam_blocks": 2},
        {"post_norm_class": True, "map_weight": 0.5, "sigma": 2.0},
        {"smoothed": "log-odds", "layers": (2, 6), "map_weight": 0.5, "sigma": 2.0},
        {"glance": 28},
    ],
)
def test_equal_to_ours(tiny: Detector, golden: dict[str, np.ndarray], changed: dict[str, object]) -> None:
    model = _with(tiny, changed)
    pixels = golden["images"]
    for theirs, ours in zip(Reference(model).predict(pixels), model.predict(pixels), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)


def _with(model: Detector, changed: dict[str, object]) -> Detector:
    settings = replace(model.settings, **changed)  # type: ignore[arg-type]
    return Detector(model.encoder, Words(model.judge.text, settings), settings)
