"""Findings as other programs read them: pycocotools and shapely."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from shapely.geometry import shape

from anomalyclip.detect import OutputFolder, Provenance, Result, write_findings
from anomalyclip.detect.findings import filled
from anomalyclip.geometry.regions import find_regions

H, W = 40, 56


def blobs(seed: int) -> np.ndarray:
    """A smooth map with islands, bays and holes."""
    rng = np.random.default_rng(seed)
    values = np.kron(rng.random((10, 14)), np.ones((4, 4)))
    return np.float32((values + np.roll(values, 1, 0) + np.roll(values, 1, 1)) / 3)


def with_a_hole() -> np.ndarray:
    values = np.zeros((H, W), np.float32)
    values[:, -6:] = 0.9  # reaches the last row and column, where runs join and end
    values[10:20, 10:20] = 0.8
    values[13:16, 13:16] = 0
    return values


MAPS = {"/p/a.png": blobs(0), "/p/hole.png": with_a_hole(), "/p/none.png": np.zeros((H, W), np.float32)}


@pytest.fixture
def folder(tmp_path: Path, provenance: Provenance, result_of: Callable[..., Result]) -> Path:
    """An output folder with the regions of MAPS at 0.5, and a failed image."""
    with OutputFolder(tmp_path / "out") as out:
        out.begin(provenance, files={}, cwd=None)
        for path, values in MAPS.items():
            out.append(_sized(result_of(path, 0.7), values))
        out.append(result_of("/p/bad.png", None, "unreadable"))
    return tmp_path / "out"


def _sized(result: Result, values: np.ndarray) -> Result:
    return Result(result.item, W, H, result.score, result.decision, find_regions(values, 0.5, outlines=True))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_coco_as_pycocotools_reads_it(folder: Path) -> None:
    file = write_findings(folder, "coco")
    assert file.name == "findings.coco.json"
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))
    assert [one["file_name"] for one in coco.loadImgs(coco.getImgIds())] == list(MAPS)
    assert coco.loadCats(coco.getCatIds()) == [{"id": 1, "name": "anomaly"}]
    kinds = set()
    for image in coco.loadImgs(coco.getImgIds()):
        values = MAPS[image["file_name"]]
        union = np.zeros((H, W), dtype=int)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        for one, region in zip(annotations, find_regions(values, 0.5), strict=True):
            mask = coco.annToMask(one)
            union += mask
            assert mask.sum() == one["area"] == region["area"]
            assert one["bbox"] == region["box"]
            assert one["score"] == region["peak"]
            kinds.add(type(one["segmentation"]))
        assert np.array_equal(union, values >= 0.5), "pixel for pixel"
    assert kinds == {list, dict}, "polygons, and RLE for the one with a hole"


def test_geojson_as_shapely_reads_it(folder: Path) -> None:
    collection = json.loads(write_findings(folder, "geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    for path, values in MAPS.items():
        features = [one for one in collection["features"] if one["properties"]["path"] == path]
        shapes = [shape(one["geometry"]) for one in features]
        assert all(one.is_valid for one in shapes)
        assert sum(one.area for one in shapes) == (values >= 0.5).sum()
        for one, region in zip(features, find_regions(values, 0.5), strict=True):
            assert {key: one["properties"][key] for key in region} == region
            x, y, width, height = region["box"]
            assert shape(one["geometry"]).bounds == (x, y, x + width, y + height)


def test_no_row_gives_valid_empty_files(tmp_path: Path, provenance: Provenance) -> None:
    with OutputFolder(tmp_path / "out") as out:
        out.begin(provenance, files={}, cwd=None)
    assert json.loads(write_findings(tmp_path / "out", "geojson").read_text())["features"] == []
    content = json.loads(write_findings(tmp_path / "out", "coco").read_text())
    assert (content["images"], content["annotations"]) == ([], [])


def test_outlines_are_in_the_json_lines_only(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert all(region["polygons"] for row in rows for region in row["regions"])
    assert "polygons" not in (folder / "results.csv").read_text()


@settings(max_examples=60)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_filled_gives_the_pixels_back(inside: np.ndarray) -> None:
    together = np.zeros_like(inside)
    for region in find_regions(inside.astype(np.float32), 0.5, outlines=True):
        x, y, width, height = region["box"]
        together[y : y + height, x : x + width] |= filled(region)
    assert np.array_equal(together, inside)
