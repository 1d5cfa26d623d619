"""The same picture through every door: a path, bytes, an open file, a PIL image in each state, an array."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageOps

from anomalyclip.errors import AnomalyClipError, ImageReadError, InputError
from anomalyclip.io import read_image
from anomalyclip.io.notes import notes_of
from anomalyclip.io.sources import as_image, count_pictures, held, listed

GREY = (110 + 60 * np.sin(np.mgrid[:24, :40][1] / 3)).astype(np.uint8)
RGB = np.dstack([GREY, (GREY * 0.6).astype(np.uint8), (GREY * 0.3).astype(np.uint8)])


class Held:
    """What other libraries have that hold an array, as pandas and xarray."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return GREY


def turned(path: Path) -> None:
    notes = Image.Exif()
    notes[0x112] = 6
    Image.fromarray(RGB).save(path, exif=notes)


def see_through(path: Path) -> None:
    rgba = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])
    rgba[:, :10] = 0
    Image.fromarray(rgba).save(path)


def palette(path: Path) -> None:
    image = Image.fromarray(RGB).quantize(16)
    image.info["transparency"] = 0
    image.save(path, transparency=0)


FORMS = {
    "grey16.png": lambda path: cv2.imwrite(str(path), GREY.astype(np.uint16) * 257),
    "rgb16.png": lambda path: cv2.imwrite(str(path), RGB.astype(np.uint16) * 251 + 100),
    "grey16.tif": lambda path: tifffile.imwrite(path, GREY.astype(np.uint16) * 250),
    "unit.tif": lambda path: tifffile.imwrite(path, (GREY / 255).astype(np.float32)),
    "to255.tif": lambda path: tifffile.imwrite(path, GREY.astype(np.float32)),
    "turned.png": turned,
    "turned.jpg": turned,
    "turned.tif": turned,
    "alpha.png": see_through,
    "alpha.webp": see_through,
    "palette.png": palette,
    "palette.gif": palette,
    "lab.tif": lambda path: Image.fromarray(RGB).convert("LAB").save(path),
    "cmyk.jpg": lambda path: Image.fromarray(RGB).convert("CMYK").save(path),
    "cmyk.tif": lambda path: Image.fromarray(RGB).convert("CMYK").save(path),
    "bits.png": lambda path: Image.fromarray(GREY > 100).save(path),
    "la.png": lambda path: Image.fromarray(np.dstack([GREY, GREY]), "LA").save(path),
}


def outcome(read) -> np.ndarray | str:
    """The pixels, or that it was refused."""
    try:
        return np.asarray(read())
    except AnomalyClipError:
        return "refused"


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("name", FORMS)
def test_every_door_shows_the_same_picture(tmp_path, name):
    path = tmp_path / name
    FORMS[name](path)
    expected = outcome(lambda: read_image(path))
    doors = {
        "text": lambda: as_image(str(path)),
        "bytes": lambda: as_image(path.read_bytes()),
        "view": lambda: as_image(memoryview(path.read_bytes())),
        "file": lambda: as_image(io.BytesIO(path.read_bytes())),
        "opened from memory": lambda: as_image(Image.open(io.BytesIO(path.read_bytes()))),
    }
    for door, read in doors.items():
        np.testing.assert_array_equal(outcome(read), expected, err_msg=door)
    with Image.open(path) as image:
        np.testing.assert_array_equal(outcome(lambda: as_image(image)), expected, err_msg="opened")
    if name != "rgb16.png":  # which Pillow cuts to 8 bits while loading
        with Image.open(path) as image:
            image.load()
            np.testing.assert_array_equal(outcome(lambda: as_image(image)), expected, err_msg="loaded")
            np.testing.assert_array_equal(outcome(lambda: as_image(image.copy())), expected, err_msg="copied")


def test_what_counts_as_several(tmp_path):
    """An open file is an iterator of its lines for Python; for us it is one picture."""
    (tmp_path / "a.png").write_bytes(b"\n1\n2")
    with (tmp_path / "a.png").open("rb") as file:
        for one in (
            file,
            io.BytesIO(b"1\n2"),
            "a.png",
            tmp_path,
            b"a\nb",
            GREY,
            np.zeros(3),
            {"a": 1},
            {"a.png"},
            None,
        ):
            assert listed(one) is None, one
    two = ["a.png", "b.png"]
    for many in (two, tuple(two), iter(two), (one for one in two), np.array(two), np.array(two, object)):
        assert listed(many) == two


def test_an_open_file_is_held_so_that_it_can_be_read_twice():
    file = io.BytesIO(b"12345")
    file.read(2)
    assert held(file) == b"345"
    for same in (io.StringIO("a"), Image.new("L", (2, 2)), GREY, "a.png", None):
        assert held(same) is same


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (torch.zeros(3, 8, 8), r"tensor\.permute\(1, 2, 0\)"),
        (np.zeros((3, 8, 8), np.uint8), r"array\.transpose\(1, 2, 0\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"list\(array\)"),
        ({"a.png"}, r"for several pictures a list"),
        (io.StringIO("a"), "open the file in binary"),
        ("", "the path is empty"),
        (np.array([[0, 200]]), r"0 to 200: give array\.astype\(numpy\.uint8\)"),
        (np.array([[0, 4000]]), r"0 to 4000: give array\.astype\(numpy\.uint16\)"),
        (np.array([[0, 1]]), r"0 to 1: give array\.astype\(bool\)"),
        (np.array([[-300, 200]]), r"-300 to 200, give array\.astype\(float\) with full_scale=\(black, white\)"),
        (Held(), r"give numpy\.asarray\(\.\.\.\) of it"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refusals_name_the_remedy_in_the_callers_terms(given, remedy):
    with pytest.raises(AnomalyClipError, match=remedy):
        as_image(given)


def test_a_picture_that_was_turned_already_is_not_turned_again(tmp_path):
    turned(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        upright = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(np.asarray(as_image(upright)), np.asarray(read_image(tmp_path / "a.png")))


def test_what_was_drawn_on_an_opened_image_counts(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        image.putpixel((3, 2), (255, 0, 255))
        assert np.asarray(as_image(image))[2, 3].tolist() == [255, 0, 255]


def test_arrays():
    def shown(values: np.ndarray, **options: float) -> np.ndarray:
        return np.asarray(as_image(values, **options))

    grey3 = np.dstack([GREY] * 3)
    for same in (GREY, GREY[..., None], grey3, GREY.astype(np.uint16) * 257, GREY / 255, (GREY / 255).astype("f4")):
        np.testing.assert_array_equal(shown(same), grey3)
    np.testing.assert_array_equal(shown(GREY.astype(np.float32)), grey3)
    np.testing.assert_array_equal(shown(GREY.astype(np.uint16) * 16, full_scale=4080), grey3)
    np.testing.assert_array_equal(shown(RGB[:, ::-1]), RGB[:, ::-1])  # a view, not contiguous
    np.testing.assert_array_equal(shown(GREY > 100), np.dstack([np.where(GREY > 100, 255, 0)] * 3))
    clear = np.dstack([RGB, np.zeros_like(GREY)])
    assert shown(clear).min() == 255
    assert shown(clear / 255.0).min() == 255
    np.testing.assert_array_equal(shown(np.dstack([RGB, np.full_like(GREY, 255)]).astype(np.uint16) * 257), RGB)


def test_what_an_array_shows_none_of_is_told():
    clear = np.zeros_like(GREY)
    for values, told in (
        ((GREY > 100).astype(np.uint8), "0 and 1 of 255"),  # floats up to 1 that were cast
        ((RGB > 100).astype(np.uint8), "0 and 1 of 255"),
        (np.dstack([RGB, clear]), "transparent all over"),
        (np.dstack([RGB, clear + 1]).astype(float), "transparent all over"),  # alpha up to 1 beside colours up to 255
        (np.dstack([GREY, clear]).astype(np.uint16), "transparent all over"),
        (Image.fromarray(np.dstack([RGB, clear])), "transparent all over"),
    ):
        assert [told in note for note in notes_of(as_image(values))].count(True) == 1, told
    for plain in (clear, GREY, GREY > 100, np.dstack([RGB, GREY]), np.dstack([RGB, clear + 255])):
        assert not notes_of(as_image(plain))


@pytest.mark.parametrize(
    "values",
    [
        GREY.astype(np.int64),
        GREY.astype(np.int32) - 300,
        GREY / 255 - 0.5,
        np.where(GREY > 100, np.nan, 0.5),
        np.full((4, 4), np.inf),
        RGB.transpose(2, 0, 1),
        RGB[None],
        np.zeros(5, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.array([["a", "b"]]),
        GREY.astype(np.complex64),
        GREY.astype(np.float64) * 1e9,
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
def test_arrays_that_say_nothing_about_their_scale_or_shape_are_refused(values):
    with pytest.raises(AnomalyClipError) as caught:
        as_image(values)
    assert "\n" not in str(caught.value)


def test_what_is_no_picture(tmp_path):
    for wrong in (None, 3, [1, 2], object()):
        with pytest.raises(InputError, match="cannot read an image from"):
            as_image(wrong)
    with pytest.raises(ImageReadError, match="megapixels"):
        as_image(RGB, max_pixels=10)
    with pytest.raises(ImageReadError, match="megapixels"):
        as_image(Image.fromarray(RGB), max_pixels=10)


def test_several_pictures(tmp_path):
    stack = np.stack([GREY, 255 - GREY])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    path = tmp_path / "a.tif"
    assert [count_pictures(one) for one in (path, f"{path}#frame=1", path.read_bytes(), GREY)] == [2, 1, 2, 1]
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageReadError, match="2 pictures"):
            as_image(source)
        np.testing.assert_array_equal(np.asarray(as_image(source, frame=1))[..., 0], stack[1])
    with Image.open(path) as image:
        with pytest.raises(AnomalyClipError, match="2 pictures"):
            as_image(image)
        image.seek(1)
        np.testing.assert_array_equal(np.asarray(as_image(image))[..., 0], stack[1])
        np.testing.assert_array_equal(np.asarray(as_image(image.copy()))[..., 0], stack[1])


@pytest.mark.parametrize("shape", [(0, 0), (0, 0, 3), (5, 0, 3), (0, 5)])
def test_an_array_without_pixels_is_no_file_with_a_header(shape):
    with pytest.raises(
        ImageReadError, match=f"it has {shape[1]} x {shape[0]} pixels .*; give an array or an image of 1 x 1"
    ):
        as_image(np.zeros(shape, np.uint8))
