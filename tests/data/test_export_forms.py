"""Exports of LabelMe, CVAT and Supervisely against what shapely and pycocotools draw."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity
from PIL import Image
from tests.data.exported import HEIGHT, OUTLINE, WIDTH, centres, masks, ring, shape_of

from anomalyclip.data import open_dataset
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import InputError


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
    assert "lines, points or tags, of no pixels" in "\n".join(open_dataset(pictures).problems)


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
