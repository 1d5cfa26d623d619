"""Regions as `supervision.Detections`; the package's own checks and its annotators judge them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from anomalyclip.errors import ConfigError
from anomalyclip.geometry.regions import find_regions
from anomalyclip.prediction import Prediction


def predicted(threshold: float | None = 0.5) -> Prediction:
    values = np.zeros((40, 60), np.float32)
    values[5:15, 10:30], values[30:34, 50:60] = 0.7, 0.9
    regions = tuple(find_regions(values, threshold))
    return Prediction(
        0.8, values, 60, 40, "a.png", "anomalous", None, Image.new("RGB", (60, 40)), None, regions, threshold
    )


def test_masks_are_the_pixels_of_each_region() -> None:
    found = predicted()
    masks = found.masks()
    assert masks.shape == (2, 40, 60)
    assert [int(one.sum()) for one in masks] == [region["area"] for region in found.regions] == [40, 200]
    assert np.array_equal(masks.any(axis=0), found.anomaly_map >= 0.5)
    assert predicted(None).masks().shape == (0, 40, 60)


def test_pixels_that_do_not_count_are_in_no_mask() -> None:
    values = np.full((4, 6), 0.9, np.float32)
    valid = np.zeros((4, 6), np.bool_)
    valid[:, :2] = valid[:, 4:] = True
    regions = tuple(find_regions(np.where(valid, values, -1).astype(np.float32), 0.5))
    found = Prediction(0.9, values, 6, 4, regions=regions, pixel_threshold=0.5, valid=valid)
    assert [int(one.sum()) for one in found.masks()] == [8, 8]


def test_supervision_takes_the_regions() -> None:
    sv = pytest.importorskip(
        "supervision", reason="supervision is not installed: pip install 'anomalyclip[supervision]'"
    )
    found = predicted().to_supervision()
    assert found.xyxy.tolist() == [[50, 30, 60, 34], [10, 5, 30, 15]]
    assert found.confidence == pytest.approx([0.9, 0.7])
    assert found.area.tolist() == found.data["area"].tolist() == [40, 200]
    assert found[found.confidence > 0.8].xyxy.tolist() == [[50, 30, 60, 34]]
    assert found.metadata == {"score": 0.8, "decision": "anomalous", "path": "a.png"}
    drawn = sv.MaskAnnotator().annotate(np.zeros((40, 60, 3), np.uint8), found)
    assert np.array_equal(drawn.any(axis=2), predicted().masks().any(axis=0))
    empty = predicted(None).to_supervision()
    assert len(empty) == 0
    assert empty.metadata["score"] == 0.8


def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ConfigError, match=r"pip install 'anomalyclip\[supervision\]'"):
        predicted().to_supervision()
