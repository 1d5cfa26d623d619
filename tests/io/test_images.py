"""Every format read back and compared with pixels that were computed, not read, by the test."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io import SUFFIXES, image_size, notes_of, read_image, read_image_bytes, read_mask


def pixels(path: Path, **options: float) -> np.ndarray:
    image = read_image(path, **options)
    assert image.mode == "RGB"
    return np.asarray(image)


def grey3(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None].astype(np.uint8), 3, axis=-1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {"compression": "tiff_adobe_deflate"}),
        ("a.webp", {"lossless": True}),
    ],
)
def test_lossless_colour_is_exact(save, rgb, name, options):
    np.testing.assert_array_equal(pixels(save(rgb, name, **options)), rgb)


def test_the_content_decides_not_the_suffix(save, rgb, tmp_path):
    path = save(rgb, "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(pixels(path), rgb)
    np.testing.assert_array_equal(np.asarray(read_image_bytes(path.read_bytes(), "upload")), rgb)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "grey.jpg"])
def test_lossy_colour_agrees_with_opencv(save, name):
    y, x = np.mgrid[0:64, 0:80]
    smooth = np.stack([x * 3, y * 3, 255 - x * 2], -1).astype(np.uint8)
    path = save(smooth[..., 0] if name.startswith("grey") else smooth, name, quality=95)
    other = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(pixels(path).astype(int) - other).max() <= 3  # two decoders, two chroma filters


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_grey_and_one_bit(save, rgb, name):
    grey = rgb[..., 0]
    np.testing.assert_array_equal(pixels(save(grey, name)), grey3(grey))
    bits = grey > 127
    np.testing.assert_array_equal(pixels(save(Image.fromarray(bits), name)), grey3(bits * 255))


def test_palette_uses_its_colours(save):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "L").convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 8, 9])
    expected = np.array([[[10, 20, 30], [200, 100, 50]], [[7, 8, 9], [200, 100, 50]]])
    for name in ("a.png", "a.bmp", "a.gif", "a.tif"):
        np.testing.assert_array_equal(pixels(save(image, name)), expected)


def test_palette_transparency_shows_white(save):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    for name in ("a.png", "a.gif"):
        np.testing.assert_array_equal(pixels(save(image, name, transparency=1)), [[[10, 20, 30], [255, 255, 255]]])


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_is_laid_over_white(save, rgb, name):
    alpha = np.random.default_rng(1).integers(1, 256, rgb.shape[:2], dtype=np.uint8)
    path = save(np.dstack([rgb, alpha]), name, **({"lossless": True, "exact": True} if name == "a.webp" else {}))
    part = alpha[..., None] / 255
    assert np.abs(pixels(path) - (rgb * part + 255 * (1 - part))).max() <= 1


def test_grey_alpha_and_a_transparent_grey(save):
    grey, alpha = np.array([[10, 10, 200]], np.uint8), np.array([[255, 0, 51]], np.uint8)
    path = save(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]), "a.png")
    np.testing.assert_array_equal(pixels(path)[..., 0], [[10, 255, 244]])  # 200 * .2 + 255 * .8
    np.testing.assert_array_equal(pixels(save(grey, "b.png", transparency=200))[..., 0], [[10, 10, 255]])


def test_cmyk_jpeg_is_not_inverted(save):
    """Pillow writes CMYK JPEGs the Adobe way (inverted, with the marker); ink 0 must come back as white."""
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, 16:32, 0] = 255  # full cyan
    inks[:, 32:, 3] = 255  # full black
    got = pixels(save(Image.fromarray(inks, "CMYK"), "a.jpg", quality=100)).astype(int)
    for column, colour in ((4, (255, 255, 255)), (20, (0, 255, 255)), (44, (0, 0, 0))):
        assert np.abs(got[8, column] - colour).max() <= 3
    got = pixels(save(Image.fromarray(inks, "CMYK"), "a.tif"))
    np.testing.assert_array_equal(got[8, [4, 20, 44]], [(255, 255, 255), (0, 255, 255), (0, 0, 0)])


TURNED = {  # EXIF orientation -> how the stored rows and columns become the upright picture
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_the_size_is_that_of_the_upright_picture(save, rgb, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(rgb, name, exif=exif)
    assert image_size(path) == read_image(path).size
    (path.parent / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImageReadError, match=r"cut\.png"):
        image_size(path.parent / "cut.png")


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation(save, rgb, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = TURNED[orientation](rgb)
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {})):
        image = read_image(save(rgb, name, exif=exif, **options))
        np.testing.assert_array_equal(np.asarray(image), upright)
        assert not image.getexif()  # or the next reader would turn it again
    mask = np.zeros((5, 7), np.uint8)
    mask[0, 1] = mask[3, 6] = 255
    np.testing.assert_array_equal(read_mask(save(mask, "m.png", exif=exif)), TURNED[orientation](mask) > 0)
    deep = rgb.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "d.tif", deep, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(pixels(tmp_path / "d.tif"), upright)


def test_jpeg_orientation(save):
    exif = Image.Exif()
    exif[0x0112] = 6
    half = np.zeros((16, 32), np.uint8)
    half[:, 16:] = 255  # bright on the right, hence below once turned clockwise
    got = pixels(save(half, "a.jpg", exif=exif, quality=95))
    assert got.shape == (32, 16, 3)
    assert got[4, 8, 0] < 20 < 235 < got[28, 8, 0]


def test_broken_exif_does_not_lose_the_picture(save, rgb):
    np.testing.assert_array_equal(pixels(save(rgb, "a.png", exif=b"Exif\0\0nonsense")), rgb)


# --- deeper than 8 bits


def scaled(values: np.ndarray, full: float) -> np.ndarray:
    return np.floor(values.astype(np.float64) * 255 / full + 0.5)


@pytest.mark.parametrize("largest", [255, 1040, 4000, 65535])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_grey_ends_at_65535_or_where_the_caller_says(save, largest, name):
    grey = np.random.default_rng(2).integers(0, largest + 1, (13, 17), dtype=np.uint16)
    grey[0, 0] = largest
    path = save(grey, name)
    np.testing.assert_array_equal(pixels(path), grey3(scaled(grey, 65535)))
    assert [f"{largest} of 65535" in note for note in notes_of(read_image(path))] == [True] * (largest < 16384)
    np.testing.assert_array_equal(pixels(path, full_scale=4095), grey3(np.minimum(scaled(grey, 4095), 255)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png(png16, tmp_path, channels):
    rng = np.random.default_rng(channels)
    colours = rng.integers(0, 4096, (9, 12, {1: 1, 2: 1, 3: 3, 4: 3}[channels]), dtype=np.uint16)
    colours[0, 0] = 4095
    alpha = rng.integers(0, 65536, (9, 12, 1), dtype=np.uint16) if channels in (2, 4) else None
    (tmp_path / "a.png").write_bytes(png16(colours if alpha is None else np.dstack([colours, alpha])))
    part = 1.0 if alpha is None else alpha / 65535
    expected = np.broadcast_to(scaled(colours, 4095) * part + 255 * (1 - part), (9, 12, 3))
    assert np.abs(pixels(tmp_path / "a.png", full_scale=4095) - expected).max() <= (0 if alpha is None else 1.01)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}, {"bigtiff": True}]
)
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64", "uint32", "int16"])
@pytest.mark.parametrize("colour", [False, True])
def test_deep_tiff(tmp_path, order, options, dtype, colour):
    shape = (19, 21, 3) if colour else (19, 21)
    unit = np.random.default_rng(3).random(shape)
    unit.flat[:2] = 0, 1
    values = unit.astype(dtype) if dtype.startswith("float") else (unit * 4095).astype(dtype)
    full = 1 if dtype.startswith("float") else 4095
    photometric = "rgb" if colour else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order, photometric=photometric, **options)
    expected = scaled(values, full)
    shown = pixels(tmp_path / "a.tif", full_scale=full)
    np.testing.assert_array_equal(shown, expected if colour else grey3(expected))


def test_white_is_zero_tiff(tmp_path):
    grey = np.array([[0, 100, 255]], np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), grey3(255 - grey))
    deep = np.array([[0, 65535]], np.uint16)
    tifffile.imwrite(tmp_path / "b.tif", deep, photometric="miniswhite")
    np.testing.assert_array_equal(pixels(tmp_path / "b.tif")[..., 0], [[255, 0]])


def test_float_range_and_non_finite_values(tmp_path):
    values = np.array([[-2, 0, 8, np.nan, np.inf, -np.inf]], np.float32)
    tifffile.imwrite(tmp_path / "a.tif", values)
    with pytest.raises(ImageReadError, match="--full-scale -2:8"):
        pixels(tmp_path / "a.tif")
    shown = pixels(tmp_path / "a.tif", full_scale=(-2.0, 8.0))
    np.testing.assert_array_equal(shown[0, :, 0], [0, 51, 255, 0, 255, 0])  # (0 + 2) / 10 * 255
    tifffile.imwrite(tmp_path / "b.tif", np.full((2, 2), np.nan, np.float32))
    assert not pixels(tmp_path / "b.tif").any()


def test_tiff_planes(rgb, tmp_path):
    planes = np.moveaxis(rgb, -1, 0).copy()
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), rgb)


# --- sizes, names, links


def test_one_pixel_and_absurd_aspect(save):
    np.testing.assert_array_equal(pixels(save(np.array([[7]], np.uint8), "a.png")), [[[7, 7, 7]]])
    line = np.arange(50_000, dtype=np.uint32).astype(np.uint8)[None]
    np.testing.assert_array_equal(pixels(save(line, "b.png")), grey3(line))
    np.testing.assert_array_equal(pixels(save(line.T.copy(), "c.jpg", quality=100)).shape, (50_000, 1, 3))


def test_links_and_awkward_names(save, rgb, tmp_path):
    path = save(rgb, "a b é.png")
    (tmp_path / "link.png").symlink_to(path)
    np.testing.assert_array_equal(pixels(tmp_path / "link.png"), rgb)
    raw = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(raw)).write_bytes(path.read_bytes())
    np.testing.assert_array_equal(pixels(Path(os.fsdecode(raw))), rgb)


def test_the_result_is_detached_from_the_file(save, rgb):
    path = save(rgb, "a.png")
    image = read_image(path)
    path.unlink()
    assert type(image) is Image.Image
    np.testing.assert_array_equal(np.asarray(image), rgb)


def test_suffixes_are_lower_case_with_a_dot():
    assert {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm"} <= SUFFIXES
    assert all(suffix.startswith(".") and suffix.islower() for suffix in SUFFIXES)


# --- masks


def test_mask_compares_at_the_files_own_depth(save, tmp_path):
    values = np.array([[0, 1, 65535]])
    on = [[False, True, True]]
    np.testing.assert_array_equal(read_mask(save(values.astype(np.uint16), "a.png")), on)
    tifffile.imwrite(tmp_path / "b.tif", np.array([[0, 1e-9, np.nan]], np.float32))
    np.testing.assert_array_equal(read_mask(tmp_path / "b.tif"), [[False, True, False]])
    np.testing.assert_array_equal(read_mask(save(np.array([[0, 1, 255]], np.uint8), "c.png")), on)
    np.testing.assert_array_equal(read_mask(save(np.array([[[0, 0, 0], [0, 0, 1], [9, 9, 9]]], np.uint8), "d.bmp")), on)
    assert read_mask(tmp_path / "c.png").dtype == bool


def test_mask_with_palette_alpha_and_white_zero(save, tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    np.testing.assert_array_equal(read_mask(save(image, "a.png")), [[True, False]])
    drawn = np.array([[[255, 255, 255, 0], [255, 255, 255, 9], [0, 0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(read_mask(save(drawn, "b.png")), [[False, True, False]])
    tifffile.imwrite(tmp_path / "c.tif", np.array([[65535, 65534, 0]], np.uint16), photometric="miniswhite")
    np.testing.assert_array_equal(read_mask(tmp_path / "c.tif"), [[False, True, True]])
