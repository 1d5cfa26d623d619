"""FiftyOne's data set of an output folder; its own classes where they are installed, else what is handed to them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from anomalyclip.detect import read_results
from anomalyclip.errors import ConfigError
from anomalyclip.integrations import to_fiftyone
from anomalyclip.integrations.fiftyone import small_map


class Kept(dict[str, Any]):
    """Stands for every class of FiftyOne: what it is made of."""

    def __init__(self, **given: Any) -> None:
        super().__init__(given)


class KeptDataset(list[Any]):
    def __init__(self, name: str | None, persistent: bool) -> None:
        self.name, self.persistent = name, persistent

    def add_sample(self, sample: Any) -> None:
        self.append(sample)


def check(samples: list[Any], results: Path) -> None:
    """Fields against the rows and maps."""
    rows = list(read_results(results))
    assert [one["filepath"] for one in samples] == [str(one.file) for one in rows]
    assert sum(len(one.row["regions"]) for one in rows) > 3
    for sample, one in zip(samples, rows, strict=True):
        values = one.anomaly_map()
        assert sample["anomaly_score"] == one.row["score"]
        assert sample["decision"]["label"] == one.row["decision"]
        assert sample["heat_map"]["range"] == [0, 255]
        assert np.abs(sample["heat_map"]["map"] / 255 - values).max() <= 0.5 / 255 + 1e-6
        for found, region in zip(sample["regions"]["detections"], one.row["regions"], strict=True):
            height, width = values.shape
            box = np.array(found["bounding_box"]) * [width, height, width, height]
            assert box == pytest.approx(region["box"])
            assert found["mask"].sum() == region["area"]
            assert found["confidence"] == region["peak"]


def test_fields_are_those_of_the_rows(results_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(Dataset=KeptDataset, **dict.fromkeys(("Sample", "Classification", "Heatmap"), Kept))
    made.Detections = made.Detection = Kept
    made.__spec__ = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "fiftyone", made)
    results = results_of()
    dataset = to_fiftyone(results, "line 3", persistent=True)
    assert (dataset.name, dataset.persistent) == ("line 3", True)
    check(dataset, results)


@pytest.mark.filterwarnings("ignore")  # FiftyOne's own
def test_fiftyone_s_own_classes_take_the_fields(
    results_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its samples and labels check what they are given; its data set needs MongoDB, so a list stands for it here."""
    monkeypatch.setenv("FIFTYONE_DISABLE_SERVICES", "true")
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "true")
    fo = pytest.importorskip("fiftyone", reason="fiftyone is not installed: pip install 'anomalyclip[fiftyone]'")
    monkeypatch.setattr(fo, "Dataset", KeptDataset)
    results = results_of()
    samples = list(to_fiftyone(results))
    assert all(isinstance(one, fo.Sample) for one in samples)
    for one in samples:
        assert all(isinstance(found, fo.Detection) for found in one["regions"].detections)
        assert fo.Sample.from_dict(one.to_dict())["heat_map"].map.dtype == np.uint8
        one["regions"].detections[0].to_polyline()  # which draws the mask
    check(samples, results)


def test_large_maps_are_shown_small() -> None:
    values = np.float32(np.random.default_rng(0).random((700, 1100)))
    small = small_map(values)
    assert small.shape == (326, 512)
    assert small.dtype == np.uint8
    assert np.abs(small / 255 - cv2.resize(values, (512, 326), interpolation=cv2.INTER_AREA)).max() <= 0.5 / 255 + 1e-6


def test_without_the_package_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(ConfigError, match=r"pip install 'anomalyclip\[fiftyone\]'"):
        to_fiftyone(tmp_path)
