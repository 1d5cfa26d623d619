"""Which pixels count: boxes, masks, files by name, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from anomalyclip.errors import ConfigError, ImageReadError, InputError
from anomalyclip.geometry import Area, Areas, Box
from anomalyclip.geometry.area import bounding_box


def mask(*on: tuple[slice, slice], size: tuple[int, int] = (40, 30)) -> Any:
    values = np.zeros(size[::-1], bool)
    for place in on:
        values[place] = True
    return values


def save(values: Any, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(values) * 255).save(path, **options)
    return path


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))), st.data())
def test_the_packed_bits_give_every_part_of_the_mask_back(ignore: Any, data: st.DataObject) -> None:
    height, width = ignore.shape
    ignore[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = False
    area = Area.of((width, height), None, ignore)
    if area is None:
        assert not ignore.any()
        return
    np.testing.assert_array_equal(area.mask(), ~ignore)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = Box(x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    part = ~ignore[y : y + box.height, x : x + box.width]
    inside = area.inside(box)
    assert (inside is None) == part.all()
    if inside is not None:
        np.testing.assert_array_equal(inside, part)
    assert area.counts(box) == part.any()
    assert area.count == (~ignore).sum()


def test_a_box_and_an_ignore_mask_meet_and_the_model_sees_the_box() -> None:
    area = Area.of((40, 30), Box(10, 5, 20, 10), mask(np.s_[:, :15]))
    assert area is not None
    assert area.box == (10, 5, 20, 10), "not narrowed by what is ignored"
    assert area.count == 15 * 10
    assert area.record() == {"box": [10, 5, 20, 10], "inside": 0.125}


def test_the_box_of_a_mask_is_the_smallest_around_it() -> None:
    area = Area.of((40, 30), mask(np.s_[3:7, 9], np.s_[20, 30:34]), None)
    assert area is not None
    assert area.box == bounding_box(area.mask()) == (9, 3, 25, 18)


def test_all_of_an_image_is_no_area() -> None:
    assert Area.of((40, 30), None, None) is None
    assert Area.of((40, 30), Box(0, 0, 40, 30), mask()) is None


@pytest.mark.parametrize(
    ("roi", "ignore", "said"),
    [
        (Box(30, 0, 11, 5), None, "beyond the image of 40 x 30"),
        (Box(-1, 0, 5, 5), None, "from 0"),
        (np.ones((40, 30), bool), None, "region of interest has 30 x 40 pixels, the image 40 x 30"),
        (None, np.ones((15, 20), bool), "ignore mask has 20 x 15 pixels, the image 40 x 30"),
        (None, np.ones((30, 40), bool), "leave no pixel"),
        (mask(np.s_[:5, :5]), mask(np.s_[:5, :5]), "leave no pixel"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(roi: Any, ignore: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Area.of((40, 30), roi, ignore)


def test_a_region_of_interest_is_a_box_or_a_mask_file(tmp_path: Path) -> None:
    assert Areas.open("10, 5,20,10").roi == (10, 5, 20, 10)
    assert Areas.open((10, 5, 20, 10)).roi == (10, 5, 20, 10)
    area, own = Areas.open(save(mask(np.s_[3:7, 9:12]), tmp_path / "roi.png")).of((40, 30), "a.png")
    assert area is not None
    assert own is None
    np.testing.assert_array_equal(area.mask(), mask(np.s_[3:7, 9:12]))


@pytest.mark.parametrize(
    ("roi", "error", "said"),
    [
        ("1,2,3,0", InputError, "width,height from 1"),
        ("-1,2,3,4", InputError, "x,y from 0"),
        ("1,2,3", InputError, "1,2,3: expected four whole numbers"),
        ("1,2,3,4.5", InputError, "four whole numbers"),
        ("1,2,,4", InputError, "four whole numbers"),
        ((1, 2, 3), InputError, "four whole numbers"),
        ((1.5, 2, 3, 4), InputError, "four whole numbers"),
        ("gone.png", ImageReadError, "no such file"),
        (np.zeros((3, 3), bool), InputError, "empty"),
        (np.zeros((3, 3, 3), np.uint8), InputError, r"\(3, 3, 3\)"),
        (np.zeros((3, 3), np.float32), InputError, "float32"),
    ],
)
def test_a_region_that_cannot_be_read_says_why(roi: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Areas.open(roi)


def test_ignore_masks_are_paired_by_name(tmp_path: Path) -> None:
    names = ["plain.png", "b_mask.PNG", "sub/c.tiff", "lot.7_mask.png", "d.png"]
    for i, name in enumerate(names):
        save(mask(np.s_[:, : i + 1]), tmp_path / name, format="TIFF" if name.endswith("tiff") else "PNG")
    areas = Areas.open(None, tmp_path)
    found = {}
    for name in ["plain.jpg", "B.jpg", "sub/c.png", "lot.7.jpg", "elsewhere/d.jpg", "gone.jpg"]:
        area, own = areas.of((40, 30), name)
        found[name] = (None if own is None else own.name, 0 if area is None else 1200 - area.count)
    assert found == {
        "plain.jpg": ("plain.png", 30),
        "B.jpg": ("b_mask.PNG", 60),
        "sub/c.png": ("c.tiff", 90),
        "lot.7.jpg": ("lot.7_mask.png", 120),
        "elsewhere/d.jpg": ("d.png", 150),
        "gone.jpg": (None, 0),
    }


def test_a_mask_of_another_size_names_its_file(tmp_path: Path) -> None:
    save(mask(size=(20, 15)), tmp_path / "masks" / "a.png")
    with pytest.raises(InputError, match=r"a\.png: the ignore mask has 20 x 15 pixels, the image 40 x 30"):
        Areas.open(None, tmp_path / "masks").of((40, 30), "a.jpg")


def test_a_folder_without_masks_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ConfigError, match="holds no image"):
        Areas.open(None, tmp_path)


def test_a_turned_mask_is_read_upright(tmp_path: Path) -> None:
    turned = Image.fromarray(np.uint8(np.rot90(mask(np.s_[:, :8]))) * 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    turned.save(tmp_path / "m.png", exif=exif)
    area, _ = Areas.open(None, tmp_path / "m.png").of((40, 30), "a")
    assert area is not None
    np.testing.assert_array_equal(area.mask(), ~mask(np.s_[:, :8]))


def test_settings_tell_masks_apart_by_their_pixels(tmp_path: Path) -> None:
    one, same = save(mask(np.s_[0, 0]), tmp_path / "1.png"), save(mask(np.s_[0, 0]), tmp_path / "2.bmp")
    other = save(mask(np.s_[0, 1]), tmp_path / "3.png")
    told = [Areas.open(None, path).settings()["ignore_mask"] for path in (one, same, other)]
    assert told[0] == told[1] != told[2]
    assert Areas.open("1,2,3,4", tmp_path).settings() == {"roi": [1, 2, 3, 4], "ignore_mask": "by name"}
    assert Areas.open().settings() == {}
    assert Areas.open().everything
