"""Exports of labelling tools as truth, drawn to the pixel: compared with pycocotools, shapely and Pillow."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from tests.data.exported import HEIGHT, OUTLINE, WIDTH, centres, masks, ring, shape_of

from anomalyclip.data import check_dataset, load_mask, open_dataset
from anomalyclip.data.dataset import Item
from anomalyclip.data.drawing import Polygon, Runs, circle, draw
from anomalyclip.data.exports.coco import uncompressed
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import ImageReadError, InputError


def decoded(runs: Any) -> np.ndarray:
    """pycocotools' own picture of its runs; it speaks NumPy 1 to NumPy 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return coco_mask.decode(runs) > 0


TRUTH = decoded(coco_mask.frPyObjects([OUTLINE], HEIGHT, WIDTH))[..., 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 60), st.floats(-9, 45)), min_size=3, max_size=8))
def test_polygons_are_filled_by_the_centres_of_pixels(points: list[tuple[float, float]]) -> None:
    """As shapely's point in polygon, but for centres on an outline; COCO's own rounding moves the edge by a pixel."""
    polygon = shapely.Polygon(points)
    if not polygon.is_valid or polygon.area < 1:
        return
    drawn = draw([Polygon((tuple(points),))], WIDTH, HEIGHT)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    on_edge = shapely.distance(polygon.exterior, shapely.points(columns + 0.5, rows + 0.5)) < 1e-6
    assert np.array_equal(drawn[~on_edge], centres(polygon)[~on_edge])
    theirs = decoded(coco_mask.frPyObjects([np.ravel(points).tolist()], HEIGHT, WIDTH))[..., 0]
    near = shapely.distance(polygon.exterior, shapely.points(columns + 0.5, rows + 0.5)) <= 1.0
    assert not (drawn ^ theirs)[~near].any()


def test_holes_unions_and_what_lies_outside() -> None:
    outer, inner = [5, 5, 30, 5, 30, 30, 5, 30], [10, 10, 20, 10, 20, 20, 10, 20]
    holed = shape_of(outer).difference(shape_of(inner))
    assert np.array_equal(draw([Polygon((ring(outer), ring(inner)))], WIDTH, HEIGHT), centres(holed))
    both = draw([Polygon((ring(outer),)), Polygon((ring([25.2, 25, 90, 25, 90, 90]),))], WIDTH, HEIGHT)
    assert np.array_equal(both, centres(shape_of(outer)) | centres(shape_of([25.2, 25, 90, 25, 90, 90])))
    assert not draw([Polygon((ring([-9, -9, -2, -9, -2, -2]),))], WIDTH, HEIGHT).any()


def test_circles_keep_to_a_tenth_of_a_pixel() -> None:
    for radius in (0.5, 3.0, 12.0, 400.0):
        points = np.array(circle((20.0, 18.0), radius, radius))
        middles = (points + np.roll(points, 1, axis=0)) / 2
        assert np.abs(np.hypot(*(middles - [20.0, 18.0]).T) - radius).max() < 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(0, 2**31))
def test_compressed_runs_are_those_of_pycocotools(height: int, width: int, share: float, seed: int) -> None:
    truth = np.random.default_rng(seed).random((height, width)) < share
    encoded = coco_mask.encode(np.asfortranarray(truth.astype(np.uint8)))
    counts = uncompressed(encoded["counts"].decode(), "x")
    assert np.array_equal(draw([Runs(counts, (0, 0, width, height), by_column=True)], width, height), truth)


# --- whole exports -----------------------------------------------------------------------------------------------


def coco(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{s}.png", "width": WIDTH, "height": HEIGHT} for n, s in enumerate("abc")]
    marks = [{"id": n, "category_id": 7, **annotation} for n, annotation in enumerate(annotations)]
    return {"images": images, "annotations": marks, "categories": [{"id": 7, "name": "scratch"}], **more}


def _runs(compressed: bool) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(TRUTH.astype(np.uint8)))
    text = encoded["counts"].decode()
    return {"size": [HEIGHT, WIDTH], "counts": text if compressed else list(uncompressed(text, "x"))}


@pytest.mark.parametrize(
    "place", ["instances.json", "annotations/instances_test.json", "images/_annotations.coco.json"]
)
@pytest.mark.parametrize("form", ["polygons", "bare polygon", "runs", "compressed runs"])
def test_coco(pictures: Path, place: str, form: str) -> None:
    segmentation = {
        "polygons": [OUTLINE],
        "bare polygon": OUTLINE,
        "runs": _runs(False),
        "compressed runs": _runs(True),
    }[form]
    (pictures / place).parent.mkdir(exist_ok=True)
    (pictures / place).write_text(json.dumps(coco({"image_id": 1, "segmentation": segmentation})))
    found = masks(pictures)
    assert (found["a"], found["c"]) == (0, 0)
    expected = centres(shape_of(OUTLINE)) if "polygon" in form else TRUTH
    assert np.array_equal(found["b"], expected)
    dataset = open_dataset(pictures)
    assert [item.kind for item in dataset.items if item.label] == ["scratch"]
    assert dataset.levels == {"image", "pixel"}
    assert any("drawn from COCO annotations" in note for note in dataset.notes)
    assert check_dataset(dataset).problems == []


def test_coco_of_two_splits(pictures: Path) -> None:
    for split, marked in (("train", 0), ("test", 1), ("val", 2)):
        annotation = coco({"image_id": marked, "segmentation": [OUTLINE]})
        annotation["images"] = annotation["images"][marked : marked + 1]
        (pictures / f"instances_{split}.json").write_text(json.dumps(annotation))
    assert set(masks(pictures)) == {"b"}
    assert set(masks(pictures, split="train")) == {"a"}
    assert set(masks(pictures / "instances_val.json")) == {"c"}


def test_boxes_tell_the_label_and_no_pixels(pictures: Path) -> None:
    content = coco(
        {"image_id": 0, "bbox": [1, 2, 3, 4], "segmentation": []}, {"image_id": 1, "segmentation": [OUTLINE]}
    )
    (pictures / "i.json").write_text(json.dumps(content))
    dataset = open_dataset(pictures)
    assert [(item.label, item.has_mask) for item in dataset.items] == [(1, False), (1, True), (0, True)]
    assert (
        "1 images have boxes, lines, points or tags, of no pixels, and so no mask (the label counts): images/a.png"
        in (dataset.problems)
    )


def test_categories_that_mean_normal_mark_nothing(pictures: Path) -> None:
    content = coco({"image_id": 0, "segmentation": [OUTLINE]}, categories=[{"id": 7, "name": "good"}])
    (pictures / "i.json").write_text(json.dumps(content))
    assert masks(pictures) == {"a": 0, "b": 0, "c": 0}


def test_exports_lend_their_masks_to_folders_that_tell_the_labels(pictures: Path) -> None:
    (pictures / "images").rename(pictures / "good")
    (pictures / "bad").mkdir()
    (pictures / "good/b.png").rename(pictures / "bad/b.png")
    (pictures / "i.json").write_text(json.dumps(coco(*({"image_id": n, "segmentation": [OUTLINE]} for n in (0, 1)))))
    dataset = open_dataset(pictures)
    assert {item.image.stem: item.label for item in dataset.items} == {"a": 0, "c": 0, "b": 1}
    assert np.array_equal(masks(pictures)["b"], centres(shape_of(OUTLINE)))
    assert "labelled normal" in "\n".join(check_dataset(dataset).problems), "a.png lies in good/ and is marked"


# --- what is damaged or hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco({"image_id": 9, "segmentation": []}), "annotation 0: it belongs to no listed image"),
        (coco({"image_id": 0, "segmentation": [[1, 2, 3, 4, 5]]}), "annotation 0: an outline needs at least three"),
        (coco({"image_id": 0, "segmentation": [[1, 2, 3, 4, 5, "x"]]}), "annotation 0: expected a number, got 'x'"),
        (coco({"image_id": 0, "segmentation": [[1, 2, 3, 4, 5, float("nan")]]}), "expected a number"),
        (coco({"image_id": 0, "segmentation": {"counts": [1], "size": [9, 9]}}), "its runs are of 9 x 9 pixels"),
        (coco({"image_id": 0, "segmentation": {"counts": "~~", "size": [HEIGHT, WIDTH]}}), "compressed runs"),
        (coco({"image_id": 0, "segmentation": {"counts": "o", "size": [HEIGHT, WIDTH]}}), "its runs are cut off"),
        ({"images": [{"id": 0, "file_name": "../../etc/passwd"}], "annotations": []}, "leads outside"),
        ({"images": [{"id": 0}], "annotations": []}, "image 0: expected an object with id, file_name"),
    ],
)
def test_damaged_coco(pictures: Path, content: dict[str, Any], message: str) -> None:
    (pictures / "i.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        open_dataset(pictures)


def test_runs_that_do_not_fill_their_image_spoil_that_image_alone(pictures: Path) -> None:
    content = coco({"image_id": 0, "segmentation": {"counts": [5, 6], "size": [HEIGHT, WIDTH]}})
    (pictures / "i.json").write_text(json.dumps(content))
    report = check_dataset(open_dataset(pictures))
    assert report.total.unreadable == 1
    assert "its runs count 11 pixels, its box has 48 x 36" in report.problems[0]


def test_drawn_masks_train_and_refuse_as_files_do(pictures: Path) -> None:
    (pictures / "i.json").write_text(json.dumps(coco({"image_id": 1, "segmentation": [OUTLINE]})))
    item = next(item for item in open_dataset(pictures).items if item.label)
    polygon = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(polygon).polygon(ring(OUTLINE), fill=255)
    file = pictures / "m.png"
    polygon.save(file)
    drawn = load_mask(item, 24)
    filed = load_mask(Item(item.image, file, 1, "x", "bad", True), 24)
    assert (drawn != filed).mean() < 0.05
    with pytest.raises(ImageReadError, match="megapixels"):
        read_marked(item.mask, item.image, 1, max_pixels=100)


def test_files_named_alike_in_two_splits(tmp_path):
    """As Roboflow writes COCO: one JSON in each split's folder, beside its pictures."""
    for split, outline in (("train", [1, 1, 9, 1, 9, 9]), ("test", OUTLINE)):
        (tmp_path / split).mkdir()
        for name in ("a.png", "b.png"):
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / split / name)
        content = {
            "images": [
                {"id": i, "file_name": f"{c}.png", "width": WIDTH, "height": HEIGHT} for i, c in enumerate("ab")
            ],
            "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "segmentation": [outline]}],
            "categories": [{"id": 1, "name": "scratch"}],
        }
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(content))
    for split in ("train", "test"):
        dataset = open_dataset(tmp_path, split=split)
        assert dataset.problems == (), "the other split's pictures are the other export's"
        items = dataset.items
        assert [(item.image.parent.name, item.image.name, item.label) for item in items] == [
            (split, "a.png", 1),
            (split, "b.png", 0),
        ]
    assert np.array_equal(read_marked(items[0].mask, items[0].image, 1).marked, centres(shape_of(OUTLINE)))
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "test" / "train_c.png")
    told = "1 images that the export does not list (not used): test/train_c.png"
    assert open_dataset(tmp_path).problems == (told,)


def test_exports_of_splits_that_share_a_folder_of_pictures_list_their_own(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    for name in "abcde":
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / f"{name}.png")
    for split, names in (("train", "cd"), ("val", "ab")):
        content = {
            "images": [
                {"id": i, "file_name": f"{c}.png", "width": WIDTH, "height": HEIGHT} for i, c in enumerate(names)
            ],
            "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "segmentation": [OUTLINE]}],
            "categories": [{"id": 1, "name": "scratch"}],
        }
        (tmp_path / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    for split, names in (("test", "ab"), ("train", "cd")):
        dataset = open_dataset(tmp_path, split=split)
        assert [item.image.name for item in dataset.items] == [f"{name}.png" for name in names]
        assert dataset.problems == ("1 images that the export does not list (not used): images/e.png",)
    (tmp_path / "annotations" / "instances_train.json").write_text("{")
    assert "3 images that the export does not list (not used)" in open_dataset(tmp_path).problems[0]
