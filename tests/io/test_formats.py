"""What each format's header says, and what its pixels become, against encoders and decoders beside the product's."""

from __future__ import annotations

import io
import re
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from tests.io.encoded import encoded, pixels

from anomalyclip.errors import ImageReadError
from anomalyclip.io import image_size, inspect, read_image_bytes, read_mask

# --- the header alone

HEADERS = {  # format, options -> channels, bits, itemsize, frames, scans
    "PNG": ({}, (3, 8, 1, 1, 1)),
    "JPEG": ({}, (3, 8, 1, 1, 1)),
    "JPEG progressive": ({"progressive": True}, (3, 8, 1, 1, 10)),
    "BMP": ({}, (3, 24, 1, 1, 1)),
    "GIF": ({}, (3, 8, 1, 1, 1)),
    "TIFF": ({}, (3, 8, 1, 1, 1)),
    "WEBP": ({}, (4, 8, 1, 1, 1)),
    "PPM": ({}, (3, 8, 1, 1, 1)),
    "JPEG2000": ({}, (3, 8, 1, 1, 1)),
    "AVIF": ({}, (3, 8, 1, 1, 1)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_inspect_tells_what_reading_will_give(smooth, tmp_path, name):
    options, told = HEADERS[name]
    data = encoded(smooth, name.split()[0], **options)
    header = inspect(data)
    assert (header.width, header.height) == (64, 48) == read_image_bytes(data).size
    assert (header.channels, header.bits, header.itemsize, header.frames, header.scans) == told
    assert 64 * 48 * 4 <= header.decoded_bytes <= 64 * 48 * 40 + 2**16
    (tmp_path / "a").write_bytes(data)
    assert inspect(tmp_path / "a").upright_size == image_size(tmp_path / "a") == (64, 48)
    with pytest.raises(ImageReadError, match="megapixels"):
        inspect(data, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize(("dtype", "size"), [(np.uint8, 1), (np.uint16, 2), (np.float32, 4), (np.float64, 8)])
def test_admission_counts_bytes_and_not_pixels(dtype, size):
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((400, 300, 3), dtype), photometric="rgb", rowsperstrip=16)
    header = inspect(buffer.getvalue())
    assert header.itemsize == size
    assert header.decoded_bytes >= 400 * 300 * 3 * size


def test_inspect_starts_no_decoder(smooth, monkeypatch):
    from PIL import ImageFile

    def refuse(*_args: object) -> None:
        raise AssertionError("a decoder ran")

    files = [encoded(smooth, name.split()[0]) for name in HEADERS]
    monkeypatch.setattr(ImageFile.ImageFile, "__init__", refuse)
    monkeypatch.setattr(cv2, "imdecode", refuse)
    assert {inspect(data).width for data in files} == {64}


# --- JPEG


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"subsampling": 0},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3, "progressive": True},
        {"restart_marker_blocks": 7, "subsampling": 1},
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_what_pillow_alone_reads(smooth, options, mode):
    data = encoded(Image.fromarray(smooth).convert(mode), "JPEG", quality=90, **options)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(pixels(data), np.asarray(image.convert("RGB")))


def test_jpeg_of_rgb_components_keeps_its_adobe_note(smooth):
    data = encoded(smooth, "JPEG", keep_rgb=True, quality=95)
    assert np.abs(pixels(data).astype(int) - smooth).max() < 8


def test_jpeg_that_lost_a_part_is_refused(smooth):
    """The decoder takes what follows for what is lost, or paints it grey, and says nothing."""
    data = encoded(smooth, "JPEG", restart_marker_blocks=2)
    start = data.index(b"\xff\xda")
    marks = [start + found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data[start:])]
    damaged = {
        "a part": data[: marks[1]] + data[marks[2] :],
        "a marker": data[: marks[1]] + data[marks[1] + 2 :],
        "the order": data[: marks[1]] + b"\xff\xd5" + data[marks[1] + 2 :],
        "the end": data[: marks[-2]] + b"\xff\xd9",
    }
    for broken in damaged.values():
        Image.open(io.BytesIO(broken)).load()
        with pytest.raises(ImageReadError, match="restart markers are lost"):
            read_image_bytes(broken)
    np.testing.assert_array_equal(pixels(data[:-2] + b"\xff\xd3\xff\xd9"), pixels(data))  # one more loses nothing


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"quality": 30}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_with_an_end_put_on_half_of_it_is_refused(smooth, options, mode):
    """As cameras do whose buffer is full: the decoder paints the rest in the last colour and says nothing."""
    plain = {"smooth": smooth, "flat": smooth // 200 * 0 + 77, "half": np.where(np.arange(64)[:, None] < 32, smooth, 9)}
    for name, picture in plain.items():
        data = encoded(Image.fromarray(np.asarray(picture, np.uint8)).convert(mode), "JPEG", **options)
        assert pixels(data).shape == smooth.shape, name
        start = data.index(b"\xff\xda") + 14
        for part in (0.3, 0.6):
            cut = data[: start + int(part * (len(data) - start))].rstrip(b"\xff") + b"\xff\xd9"
            Image.open(io.BytesIO(cut)).load()
            with pytest.raises(ImageReadError, match="pixels end before the picture does"):
                read_image_bytes(cut)


def test_jpeg_that_ends_before_its_colours_is_refused(smooth):
    grey = encoded(Image.fromarray(smooth).convert("L"), "JPEG")
    frame = grey.index(b"\xff\xc0")
    head = grey[frame + 4 : frame + 9] + b"\3\1\x11\0\2\x11\0\3\x11\0"
    data = grey[:frame] + b"\xff\xc0\0\x11" + head + grey[frame + 13 :]
    Image.open(io.BytesIO(data)).load()
    with pytest.raises(ImageReadError, match="ends before its colours"):
        read_image_bytes(data)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"\xff\xc0\0\x0b\x0c\0\x08\0\x08\1\1\x11\0", "JPEG of 12 bits"),
        (b"\xff\xc3\0\x0b\x08\0\x08\0\x08\1\1\x11\0", "lossless JPEG"),
        (b"\xff\xc5\0\x0b\x08\0\x08\0\x08\1\1\x11\0", "hierarchical JPEG"),
        (b"\xff\xc0\0\x0e\x08\0\x08\0\x08\2\1\x11\0\2\x11\0", "JPEG of 2 components"),
        (b"\xff\xc0\0\x0b\x08\0\0\0\x08\1\1\x11\0", "8 x 0 pixels"),
    ],
)
def test_kinds_of_jpeg_that_are_not_read_are_named(frame, says):
    with pytest.raises(ImageReadError, match=says):
        read_image_bytes(b"\xff\xd8" + frame + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(10) + b"\xff\xd9")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_or_missing_note_is_upright_and_xmp_counts_where_exif_is_silent(smooth, name):
    if name in ("JPEG", "PNG"):
        note = b"<x:xmpmeta><rdf:Description tiff:Orientation='6'/></x:xmpmeta>"
        information = PngImagePlugin.PngInfo()
        information.add_itxt("XML:com.adobe.xmp", note.decode())
        turned = encoded(smooth, name, **({"pnginfo": information} if name == "PNG" else {"xmp": note}))
        assert read_image_bytes(turned).size == (48, 64)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        assert read_image_bytes(encoded(smooth, name, exif=exif)).size == (48, 64)
    assert read_image_bytes(encoded(smooth, name)).size == (64, 48)


# --- PNM


@pytest.mark.parametrize("maximum", [1, 100, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_maximum_of_a_pnm_is_its_scale(maximum, channels):
    values = np.random.default_rng(maximum).integers(0, maximum + 1, (5, 7, channels))
    head = f"P{5 if channels == 1 else 6}\n# a comment\n7 5\n{maximum}\n".encode()
    data = head + values.astype(">u2" if maximum > 255 else "u1").tobytes()
    assert np.abs(pixels(data) - values * 255 / maximum).max() <= 0.5 + 1e-9
    with pytest.raises(ImageReadError, match="truncated"):
        read_image_bytes(data[:-1])


def test_bitmaps_and_refused_pnm(tmp_path):
    np.testing.assert_array_equal(pixels(b"P4\n3 2\n\xa0\x40")[..., 0], [[0, 255, 0], [255, 0, 255]])
    (tmp_path / "a.pbm").write_bytes(b"P4\n3 2\n\xa0\x40")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.pbm"), [[False, True, False], [True, False, True]])
    for data, says in (
        (b"P2\n1 1\n9\n3\n", "written as text"),
        (b"P5\n1 1\n0\n\0", "maximum of 0"),
        (b"P5\nx", "damaged"),
    ):
        with pytest.raises(ImageReadError, match=says):
            read_image_bytes(data)


# --- JPEG 2000, AVIF, HEIC


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_jpeg_2000(smooth, mode, boxes):
    image = Image.fromarray(smooth).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(smooth[..., 0] | 1))
    data = encoded(image, "JPEG2000", no_jp2=not boxes)
    rgba = np.asarray(image.convert("RGBA")).astype(float)
    shown = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:] if mode.endswith("A") and boxes else rgba[..., :3]
    if mode.endswith("A") and not boxes:  # a bare codestream does not say what its further component is
        assert read_image_bytes(data).size == image.size
    else:
        assert np.abs(pixels(data) - shown).max() <= 1.01


def test_jpeg_2000_of_sixteen_bits():
    values = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    data = encoded(Image.fromarray(values), "JPEG2000")
    np.testing.assert_array_equal(pixels(data)[..., 0], np.floor(values / 65535 * 255 + 0.5))


def test_avif_and_its_turns(smooth):
    assert np.abs(pixels(encoded(smooth, "AVIF", quality=95)).astype(int) - smooth).mean() < 3
    for orientation, size in ((1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = read_image_bytes(encoded(smooth, "AVIF", exif=exif, quality=95))
        assert image.size == size
        turned = np.rot90(smooth, {1: 0, 3: 2, 6: 3, 8: 1}[orientation])
        assert np.abs(np.asarray(image).astype(int) - turned).mean() < 3


def test_heic_and_its_turns(smooth, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        buffer = io.BytesIO()
        file = heif.from_pillow(Image.fromarray(smooth))
        file.info["exif"] = exif.tobytes()
        file.save(buffer, quality=95)
        got = pixels(buffer.getvalue()).astype(int)
        assert np.abs(got - np.rot90(smooth, 3 if orientation == 6 else 0)).mean() < 4
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageReadError, match=r"anomalyclip\[heif\]"):
        read_image_bytes(buffer.getvalue())


# --- the project's limit is the only one


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "GIF", "BMP", "WEBP", "JPEG", "JPEG2000", "AVIF", "PPM"])
def test_whatever_the_limit_allows_is_read_in_every_format(smooth, monkeypatch, kind):
    """Pillow's own numbers, made small: it would refuse at twice as many pixels, and warn before."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    several = kind in ("GIF", "WEBP")
    more = {"save_all": True, "append_images": [Image.fromarray(255 - smooth)]} if several else {}
    data = encoded(smooth, kind, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for frame in range(1 + several):
            assert read_image_bytes(data, frame=frame, max_pixels=64 * 48).size == (64, 48)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_an_eight_bit_tiff_above_179_megapixels(tmp_path):
    side = 13_500
    Image.new("1", (side, side)).save(tmp_path / "a.tif", compression="tiff_lzw")
    assert read_mask(tmp_path / "a.tif", max_pixels=side * side).shape == (side, side)
