"""Exports of labelling tools as truth, drawn to the pixel: compared with pycocotools, shapely and Pillow."""

from __future__ import annotations

import base64
import io
import json
import warnings
import zlib
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

from anomalyclip.data import check_dataset, load_mask, open_dataset
from anomalyclip.data.dataset import Item
from anomalyclip.data.drawing import Polygon, Runs, circle, draw
from anomalyclip.data.exports.coco import uncompressed
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import ImageReadError, InputError

WIDTH, HEIGHT = 48, 36
OUTLINE = [10.3, 5.2, 40.7, 8.9, 33.1, 30.4, 12.6, 25.5]


def decoded(runs: Any) -> np.ndarray:
    """pycocotools' own picture of its runs; it speaks NumPy 1 to NumPy 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return coco_mask.decode(runs) > 0


TRUTH = decoded(coco_mask.frPyObjects([OUTLINE], HEIGHT, WIDTH))[..., 0]


def shape_of(numbers: list[float]) -> shapely.Polygon:
    return shapely.Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


def centres(polygon: shapely.Polygon) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return shapely.contains_xy(polygon, columns + 0.5, rows + 0.5)


def ring(numbers: list[float]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        pixels = np.random.default_rng(ord(name)).integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{name}.png")
    return tmp_path


def masks(root: Path, **options: Any) -> dict[str, np.ndarray | int]:
    """What is known of every image: its pixels, or its label where they are not."""
    found = {}
    for item in open_dataset(root, **options).items:
        known = item.mask is not None
        found[item.image.stem] = read_marked(item.mask, item.image, item.label).marked if known else item.label
    return found


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
    assert "1 images have boxes, lines, points or tags only, which mark no pixels (the label counts): images/a.png" in (
        dataset.problems
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


def _labelme(shape_type: str, points: list[list[float]], **more: Any) -> dict[str, Any]:
    shape = {"label": "dent", "points": points, "shape_type": shape_type, **more}
    return {"version": "5", "shapes": [shape], "imagePath": "..\\x\\b.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}


def _png(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def _disc() -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(columns + 0.5 - 20, rows + 0.5 - 18) < 9


PATCH = np.random.default_rng(3).random((6, 9)) < 0.5
PASTED = np.zeros((HEIGHT, WIDTH), bool)
PASTED[4:10, 30:39] = PATCH
CORNERS = np.zeros((HEIGHT, WIDTH), bool)
CORNERS[5:20, 10:31] = True


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (_labelme("polygon", [[x, y] for x, y in ring(OUTLINE)]), centres(shape_of(OUTLINE))),
        (_labelme("rectangle", [[10, 5], [31, 20]]), CORNERS),
        (_labelme("rectangle", [[31, 20], [10, 5]]), CORNERS),
        (_labelme("rectangle", [[10, 5], [31, 5], [31, 20], [10, 20]]), CORNERS),
        (_labelme("circle", [[20, 18], [29, 18]]), _disc()),
        (
            _labelme("mask", [[30, 4], [38, 9]], mask=base64.b64encode(_png((PATCH * 255).astype(np.uint8))).decode()),
            PASTED,
        ),
    ],
)
@pytest.mark.parametrize("place", ["images", "labels"])
def test_labelme(pictures: Path, content: dict[str, Any], expected: np.ndarray, place: str) -> None:
    (pictures / place).mkdir(exist_ok=True)
    (pictures / place / "b.json").write_text(json.dumps(content))
    found = masks(pictures)
    assert (found["a"], found["c"]) == (0, 0)
    assert np.array_equal(found["b"], expected)
    assert "2 images without an annotation file count as normal" in open_dataset(pictures).notes


@pytest.mark.parametrize(("flag", "label"), [("scratch", 1), ("NG", 1), ("good", 0), ("__ignore__", 0)])
def test_labelme_flags_speak_of_the_whole_image(pictures: Path, flag: str, label: int) -> None:
    content = {**_labelme("point", []), "shapes": [], "flags": {flag: True, "bad": False}}
    (pictures / "images/b.json").write_text(json.dumps(content))
    assert masks(pictures) == {"a": 0, "b": label, "c": 0}


def test_labelme_lines_mark_no_pixels(pictures: Path) -> None:
    (pictures / "images/b.json").write_text(json.dumps(_labelme("linestrip", [[1, 1], [9, 9]])))
    assert masks(pictures) == {"a": 0, "b": 1, "c": 0}
    assert "lines, points or tags only" in "\n".join(open_dataset(pictures).problems)


def _cvat(*shapes: str) -> str:
    images = "".join(
        f'<image id="{n}" name="images/{name}.png" width="{WIDTH}" height="{HEIGHT}">{inner}</image>'
        for n, (name, inner) in enumerate(zip("abc", ("", "".join(shapes), ""), strict=True))
    )
    return f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{images}</annotations>'


def _row_runs(pixels: np.ndarray) -> str:
    flat = np.concatenate([[0], pixels.ravel().astype(int)])
    edges = np.flatnonzero(np.diff(flat)).tolist()
    counts = np.diff([0, *edges, pixels.size])
    return ", ".join(map(str, counts))


POINTS = ";".join(f"{x},{y}" for x, y in ring(OUTLINE))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (f'<polygon label="x" points="{POINTS}"/>', centres(shape_of(OUTLINE))),
        (f'<mask label="x" rle="{_row_runs(PATCH)}" left="30" top="4" width="9" height="6"/>', PASTED),
        ('<ellipse label="x" cx="20" cy="18" rx="9" ry="9"/>', _disc()),
    ],
)
def test_cvat_for_images(pictures: Path, shape: str, expected: np.ndarray) -> None:
    (pictures / "annotations.xml").write_text(_cvat(shape))
    found = masks(pictures)
    assert (found["a"], found["c"]) == (0, 0)
    assert np.array_equal(found["b"], expected)
    assert set(masks(pictures / "annotations.xml")) == set(found)


def test_cvat_tags_speak_of_the_whole_image(pictures: Path) -> None:
    (pictures / "annotations.xml").write_text(_cvat('<tag label="scratch"/>'))
    assert masks(pictures) == {"a": 0, "b": 1, "c": 0}
    (pictures / "annotations.xml").write_text(_cvat('<tag label="i.O."/>'))
    assert masks(pictures) == {"a": 0, "b": 0, "c": 0}
    outline = f'<tag label="defect"/><polygon label="x" points="{POINTS}"/>'
    (pictures / "annotations.xml").write_text(_cvat(outline))
    assert np.array_equal(masks(pictures)["b"], centres(shape_of(OUTLINE)))


def test_cvat_for_video_is_refused_by_name(pictures: Path) -> None:
    content = (
        '<annotations><track id="0" label="x"><box frame="0" xtl="1" ytl="1" xbr="2" ybr="2"/></track></annotations>'
    )
    (pictures / "annotations.xml").write_text(content)
    with pytest.raises(InputError, match=r"CVAT for video, whose tracks name no files; export CVAT for images"):
        open_dataset(pictures)


def test_cvat_boxes(pictures: Path) -> None:
    (pictures / "annotations.xml").write_text(_cvat('<box label="x" xtl="1" ytl="1" xbr="5" ybr="5"/>'))
    assert masks(pictures) == {"a": 0, "b": 1, "c": 0}


def _supervisely(pictures: Path, *objects: dict[str, Any]) -> None:
    (pictures / "images").rename(pictures / "img")
    (pictures / "ann").mkdir()
    for name in "abc":
        content = {"size": {"width": WIDTH, "height": HEIGHT}, "tags": [], "objects": objects if name == "b" else []}
        (pictures / f"ann/{name}.png.json").write_text(json.dumps(content))
    (pictures / "meta.json").write_text(json.dumps({"classes": [{"title": "x"}], "tags": []}))


@pytest.mark.parametrize("palette", [True, False])
def test_supervisely(pictures: Path, palette: bool) -> None:
    image = Image.fromarray(PATCH.astype(np.uint8), "L")
    if palette:
        image = Image.frombytes("P", image.size, PATCH.astype(np.uint8).tobytes())
        image.putpalette([0, 0, 0, 255, 255, 255])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **({"transparency": 0} if palette else {}))
    data = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    hole = [[15, 12], [22, 12], [22, 20], [15, 20]]
    _supervisely(
        pictures,
        {"classTitle": "dent", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [30, 4]}},
        {
            "classTitle": "dent",
            "geometryType": "polygon",
            "points": {"exterior": [list(point) for point in ring(OUTLINE)], "interior": [hole]},
        },
    )
    found = masks(pictures)
    assert (found["a"], found["c"]) == (0, 0)
    expected = centres(shape_of(OUTLINE).difference(shapely.Polygon(hole))) | PASTED
    assert np.array_equal(found["b"], expected)


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


BILLION = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(9))


@pytest.mark.parametrize(
    "xml",
    [
        f"<!DOCTYPE annotations [{BILLION}]><annotations>&a8;</annotations>",
        '<!DOCTYPE annotations [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
        '<!DOCTYPE annotations SYSTEM "http://127.0.0.1/x.dtd"><annotations></annotations>',
    ],
)
def test_xml_that_declares_anything_is_refused(pictures: Path, xml: str) -> None:
    (pictures / "annotations.xml").write_text(xml)
    with pytest.raises(InputError):
        open_dataset(pictures / "annotations.xml")
    with pytest.raises(InputError, match="cannot find a data set"):
        open_dataset(pictures)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotations><image", "not valid XML"),
        (_cvat('<polygon label="x" points="1,2;3,4"/>'), "image 1: an outline needs at least three points"),
        (_cvat('<mask label="x" rle="a" left="0" top="0" width="1" height="1"/>'), "image 1: expected a number"),
        ("<annotations>" + "<a>" * 100, "deeper than 64"),
    ],
)
def test_damaged_cvat(pictures: Path, xml: str, message: str) -> None:
    (pictures / "annotations.xml").write_text(xml)
    with pytest.raises(InputError, match=message):
        open_dataset(pictures)


def test_a_bitmap_that_unpacks_to_too_much(pictures: Path) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(80 << 20))).decode()
    _supervisely(pictures, {"geometryType": "bitmap", "bitmap": {"data": bomb, "origin": [0, 0]}})
    with pytest.raises(InputError, match="unpacks to more than 64 MB"):
        open_dataset(pictures)


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
        items = open_dataset(tmp_path, split=split).items
        assert [(item.image.parent.name, item.image.name, item.label) for item in items] == [
            (split, "a.png", 1),
            (split, "b.png", 0),
        ]
    assert np.array_equal(read_marked(items[0].mask, items[0].image, 1).marked, centres(shape_of(OUTLINE)))


def test_ellipses_of_cvat_are_turned_clockwise(tmp_path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    ellipse = '<ellipse label="x" cx="24" cy="18" rx="15" ry="5" rotation="30"/>'
    image = f'<image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">{ellipse}</image>'
    (tmp_path / "annotations.xml").write_text(f"<annotations>{image}</annotations>")
    (item,) = open_dataset(tmp_path).items
    unit = shapely.Point(0, 0).buffer(1, quad_segs=64)
    turned = shapely.affinity.rotate(shapely.affinity.scale(unit, 15, 5), 30, origin=(0, 0))  # y down: clockwise
    right = centres(shapely.affinity.translate(turned, 24, 18))
    assert (
        read_marked(item.mask, item.image, 1).marked != right
    ).sum() <= 4  # ours is a polygon within a tenth of a pixel
