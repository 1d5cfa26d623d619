"""Files of findings as the tools' own packages read them, wherever these are installed; see docs/integrations."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalyclip.detect import read_results
from anomalyclip.detect.findings.label_studio import INTERFACE

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages' own
HOLED = ("--pixel-threshold", "0.45")  # low enough for regions with holes


def maps_of(results: Path) -> dict[str, np.ndarray]:
    return {one.file.name: np.asarray(one.anomaly_map()) for one in read_results(results)}


def inside(points: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centre lies in a polygon, by matplotlib."""
    path = pytest.importorskip("matplotlib.path").Path(np.asarray(points, float).reshape(-1, 2))
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(path.contains_points(np.c_[columns.ravel() + 0.5, rows.ravel() + 0.5]).reshape(shape))


def test_label_studio_finds_no_fault_and_the_same_pixels(results_of: Callable[..., Path]) -> None:
    reason = "label-studio-sdk is not installed: pip install label-studio-sdk"
    interfaces = pytest.importorskip("label_studio_sdk.label_interface", reason=reason)
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason=reason)
    interface = interfaces.LabelInterface(INTERFACE)
    interface.validate()
    results = results_of("--findings", "label-studio", *HOLED)
    maps, kinds = maps_of(results), set()
    for task in json.loads((results / "findings.label-studio.json").read_text()):
        values = maps[Path(task["data"]["path"]).name]
        union = np.zeros(values.shape, bool)
        (prediction,) = task["predictions"]
        assert interface.validate_prediction(prediction, return_errors=True) == []
        for one in prediction["result"]:
            kinds.add(one["type"])
            if one["type"] == "brushlabels":
                union |= brush.decode_rle(one["value"]["rle"]).reshape(*values.shape, 4)[..., 3] > 0
            elif one["type"] == "polygonlabels":
                scale = np.array(values.shape[::-1]) / 100
                union |= inside(np.array(one["value"]["points"]) * scale, values.shape)
        assert np.array_equal(union, values >= np.float32(0.45))
    assert kinds == {"brushlabels", "polygonlabels", "choices"}


def test_datumaro_reads_the_same_pixels_from_cvat_s_format(results_of: Callable[..., Path], tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro", reason="datumaro is not installed: pip install datumaro")
    results = results_of("--findings", "cvat", *HOLED)
    shutil.copy(results / "findings.cvat.xml", tmp_path / "annotations.xml")
    (tmp_path / "images").mkdir()
    for one in read_results(results):
        shutil.copy(one.file, tmp_path / "images")
    dataset = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    maps = maps_of(results)
    assert {f"{item.id}.png" for item in dataset} == set(maps)
    for item in dataset:
        values = maps[f"{item.id}.png"]
        union = np.zeros(values.shape, bool)
        for one in item.annotations:
            if one.type.name == "mask":
                union |= np.asarray(one.image, bool)
            elif one.type.name == "polygon":
                union |= inside(one.points, values.shape)
        assert np.array_equal(union, values >= np.float32(0.45))
