"""Picture files and thumbnails."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from anomalyclip.errors import InputError, OutputError
from anomalyclip.io import thumbnail_data_uri, write_image


def decoded(uri: str) -> Image.Image:
    head, body = uri.split(",", 1)
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(body, validate=True)))
    assert image.format == "JPEG"
    return image


def test_png_is_exact_and_jpeg_close(rgb, tmp_path):
    image = Image.fromarray(rgb).resize((90, 60), Image.Resampling.BICUBIC)
    write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(image))
    for name in ("a.jpg", "b.JPEG"):
        write_image(tmp_path / name, image.convert("RGBA"))
        with Image.open(tmp_path / name) as back:
            assert back.format == "JPEG"
            assert np.abs(np.asarray(back).astype(int) - np.asarray(image)).mean() < 4


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (130, 1), (37, 64), (53, 65), (31, 129)])
def test_any_picture_is_exact_for_every_reader(mode, size, tmp_path):
    """Rows alike and unlike, and more of them than are written at once."""
    pixels = np.random.default_rng(size[1]).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    pixels[::3] = 255
    image = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    write_image(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as back:
        assert (back.mode, back.size) == (mode, size)
        np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    seen = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED if mode in {"I;16", "RGBA"} else cv2.IMREAD_COLOR)
    turned = {"RGBA": cv2.COLOR_BGRA2RGBA, "I;16": None}.get(mode, cv2.COLOR_BGR2RGB)
    shown = np.asarray(image if mode in {"I;16", "RGBA"} else image.convert("RGB"))
    np.testing.assert_array_equal(seen if turned is None else cv2.cvtColor(seen, turned), shown)


def test_what_a_picture_says_of_its_colours_is_kept(tmp_path):
    for key, told in {"icc_profile": b"a profile", "transparency": (1, 2, 3)}.items():
        image = Image.new("RGB", (9, 5), (1, 2, 3))
        image.info[key] = told
        write_image(tmp_path / "a.png", image)
        with Image.open(tmp_path / "a.png") as back:
            assert back.info[key] == told


def test_bad_targets(tmp_path):
    image = Image.new("RGB", (3, 3))
    with pytest.raises(InputError, match=r"expected a name that ends in \.png"):
        write_image(tmp_path / "a.bmp", image)
    with pytest.raises(OutputError, match="create the folder first"):
        write_image(tmp_path / "no" / "a.png", image)
    with pytest.raises(OutputError, match=r"write a \.png file"):
        write_image(tmp_path / "a.jpg", Image.new("L", (1, 70_000)))
    with pytest.raises(OutputError, match="empty image"):
        write_image(tmp_path / "a.png", Image.new("RGB", (0, 4)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (320, 240)), ((30, 20), (30, 20)), ((1, 50_000), (1, 320)), ((1000, 3), (320, 1))],
)
def test_thumbnails_fit_and_never_grow(size, expected):
    assert decoded(thumbnail_data_uri(Image.new("RGB", size), 320)).size == expected


def test_thumbnails_look_like_the_picture():
    y, x = np.mgrid[0:400, 0:600]
    image = Image.fromarray(np.stack([x * 255 // 600, y * 255 // 400, 0 * x], -1).astype(np.uint8))
    small = np.asarray(decoded(thumbnail_data_uri(image, 60, quality=95))).astype(int)
    expected = np.asarray(image).reshape(40, 10, 60, 10, 3).mean(axis=(1, 3))
    assert np.abs(small - expected).max() < 12
    assert len(thumbnail_data_uri(image, 60, quality=30)) < len(thumbnail_data_uri(image, 60, quality=95))


def test_modes_and_a_bad_size():
    assert decoded(thumbnail_data_uri(Image.new("RGBA", (9, 9)))).mode == "RGB"
    with pytest.raises(InputError, match="max_side is 0"):
        thumbnail_data_uri(Image.new("RGB", (9, 9)), 0)
