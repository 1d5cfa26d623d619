"""Findings as other programs read them: pycocotools and shapely."""

from __future__ import annotations

import contextlib
import io
import json
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from shapely.geometry import Polygon, shape

from anomalyclip.detect import OutputFolder, Provenance, Result, write_findings
from anomalyclip.detect.findings.parts import filled
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


def test_cvat_marks_the_same_pixels(folder: Path) -> None:
    """Masks decoded by NumPy, polygons by shapely."""
    root = ElementTree.parse(write_findings(folder, "cvat")).getroot()
    assert root.findtext("version") == "1.1"
    names = [label.findtext("name") for label in root.iterfind("meta/task/labels/label")]
    images = root.findall("image")
    assert [(one.get("id"), one.get("name")) for one in images] == [
        (str(i), Path(path).name) for i, path in enumerate(MAPS)
    ]
    kinds = set()
    for image, values in zip(images, MAPS.values(), strict=True):
        assert (image.get("width"), image.get("height")) == (str(W), str(H))
        assert [tag.get("label") for tag in image.iterfind("tag")] == ["anomalous"]
        shapes = [one for one in image if one.tag in ("polygon", "mask")]
        assert all(one.get("label") in names for one in shapes)
        kinds |= {one.tag for one in shapes}
        masks = [cvat_mask(one) for one in shapes if one.tag == "mask"]
        areas = [cvat_polygon(one).area for one in shapes if one.tag == "polygon"]
        assert sum(areas) + sum(mask.sum() for mask in masks) == (values >= 0.5).sum()
        for mask in masks:
            assert (values[mask] >= 0.5).all()
        peaks = {one.findtext("attribute[@name='peak']") for one in shapes}
        assert peaks == {str(region["peak"]) for region in find_regions(values, 0.5)}
    assert kinds == {"polygon", "mask"}


def cvat_mask(one: ElementTree.Element) -> np.ndarray:
    x, y, width, height = (int(one.attrib[key]) for key in ("left", "top", "width", "height"))
    lengths = [int(word) for word in one.attrib["rle"].split(",")]
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
    return np.pad(inside, ((y, H - y - height), (x, W - x - width)))


def cvat_polygon(one: ElementTree.Element) -> Polygon:
    return Polygon([tuple(map(float, point.split(","))) for point in one.attrib["points"].split(";")])


def test_cvat_survives_any_name_and_tells_decisions(
    tmp_path: Path, provenance: Provenance, result_of: Callable[..., Result]
) -> None:
    names = ['/p/x/<a> & "b".png', "/p/y/\x01\udcff.png"]
    with OutputFolder(tmp_path / "out") as out:
        out.begin(provenance, files={}, cwd=None)
        for name in names:
            one = result_of(name, 0.7)
            out.append(Result(one.item, W, H, 0.7, "anomalous"))
    images = ElementTree.parse(write_findings(tmp_path / "out", "cvat")).getroot().findall("image")
    assert [image.get("name") for image in images] == ['x/<a> & "b".png', "y/\\x01\\xff.png"]
    assert [tag.get("label") for image in images for tag in image.iterfind("tag")] == ["anomalous"] * 2
    tasks = json.loads(write_findings(tmp_path / "out", "label-studio").read_text())
    assert [one["predictions"][0]["result"][0]["value"] for one in tasks] == [{"choices": ["anomalous"]}] * 2


def test_label_studio_marks_the_same_pixels(folder: Path) -> None:
    """Brushes decoded by a reader of bits written here; docs/integrations.md says which SDKs read them."""
    tasks = json.loads(write_findings(folder, "label-studio").read_text())
    kinds = set()
    for task, (path, values) in zip(tasks, MAPS.items(), strict=True):
        assert urllib.parse.unquote(task["data"]["image"]) == f"/data/local-files/?d={path[1:]}"
        (prediction,) = task["predictions"]
        assert prediction["score"] == 0.7
        area = 0.0
        *regions, decision = prediction["result"]
        assert decision["value"] == {"choices": ["anomalous"]}
        for one in regions:
            kinds.add(one["type"])
            assert (one["original_width"], one["original_height"]) == (W, H)
            if one["type"] == "brushlabels":
                mask = brush_of(one["value"]["rle"]).reshape(H, W, 4)
                assert (mask == mask[..., :1]).all()
                assert (values[mask[..., 3] == 255] >= 0.5).all()
                area += (mask[..., 3] == 255).sum()
            else:
                points = [(x * W / 100, y * H / 100) for x, y in one["value"]["points"]]
                area += Polygon(points).area
        assert area == pytest.approx((values >= 0.5).sum(), rel=1e-9)
    assert kinds == {"brushlabels", "polygonlabels"}


def brush_of(code: list[int]) -> np.ndarray:
    """Bits, read one field after another."""
    bits = "".join(f"{byte:08b}" for byte in code)
    ends = np.cumsum([0, 32, 5, 4, 4, 4, 4])
    count, word, *lengths = (int(bits[a:b], 2) + (i > 0) for i, (a, b) in enumerate(pairwise(ends)))
    at, found = int(ends[-1]), []
    while sum(map(len, found)) < count:
        assert bits[at] == "1"
        size = lengths[int(bits[at + 1 : at + 3], 2)]
        length = int(bits[at + 3 : at + 3 + size], 2) + 1
        found.append(np.full(length, int(bits[at + 3 + size : at + 3 + size + word], 2), np.uint8))
        at += 3 + size + word
    return np.concatenate(found)


def test_no_row_gives_valid_empty_files(tmp_path: Path, provenance: Provenance) -> None:
    with OutputFolder(tmp_path / "out") as out:
        out.begin(provenance, files={}, cwd=None)
    assert json.loads(write_findings(tmp_path / "out", "geojson").read_text())["features"] == []
    content = json.loads(write_findings(tmp_path / "out", "coco").read_text())
    assert (content["images"], content["annotations"]) == ([], [])
    assert json.loads(write_findings(tmp_path / "out", "label-studio").read_text()) == []
    assert not ElementTree.parse(write_findings(tmp_path / "out", "cvat")).findall("image")


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
