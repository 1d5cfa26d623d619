"""TIFF layouts: read to the sample, or refused with the true reason, alike in 8 bits and deeper.

The independent readers are tifffile (which decodes what it wrote) and Pillow (which decodes 8 bits).
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import tifffile
from PIL import Image, ImageCms
from tests.io.tiffs import raster, size, tiff

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of, read_image, read_image_bytes
from anomalyclip.io.inspection import read_header
from anomalyclip.io.tiff import decode

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
OPTIONS = {
    "strips": {"rowsperstrip": 5},
    "one strip": {},
    "tiles": {"tile": (16, 32)},
    "deflate": {"compression": "zlib"},
    "predictor": {"compression": "zlib", "predictor": True},
    "deflate tiles": {"compression": "zlib", "predictor": True, "tile": (32, 16)},
    "lzma": {"compression": "lzma"},
    "big": {"bigtiff": True},
}


def written(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_are_those_that_tifffile_wrote(dtype, options, order):
    if "predictor" in OPTIONS[options] and (dtype.startswith("f") or dtype.endswith("8")):
        pytest.skip("tifffile writes no such predictor")
    rng = np.random.default_rng(7)
    for channels, planar in ((1, None), (3, "contig"), (3, "separate"), (4, "contig")):
        values = (rng.random((37, 53, channels)) * 100).astype(dtype)
        given = np.ascontiguousarray(np.moveaxis(values, -1, 0)) if planar == "separate" else values
        more = {"photometric": "minisblack"} if channels == 1 else {"photometric": "rgb", "planarconfig": planar}
        more |= {"extrasamples": [2]} if channels == 4 else {}
        got = raster(written(given[..., 0] if channels == 1 else given, byteorder=order, **OPTIONS[options], **more))
        np.testing.assert_array_equal(got.values, values[..., 0] if channels == 1 else values[..., :3])
        if channels == 4:
            np.testing.assert_array_equal(got.alpha, values[..., 3])


COMPRESSIONS = [
    None,
    "tiff_lzw",
    "packbits",
    "tiff_adobe_deflate",
    "zstd",
    "lzma",
    "group3",
    "group4",
    "tiff_ccitt",
    "jpeg",
]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_eight_bits_are_those_that_pillow_reads(rgb, mode, compression):
    if (compression in ("group3", "group4", "tiff_ccitt")) != (mode == "1") and compression not in COMPRESSIONS[:6]:
        pytest.skip("not written by Pillow")
    if compression == "jpeg" and mode in ("1", "P", "LA"):
        pytest.skip("not written by Pillow, or two components")
    buffer = io.BytesIO()
    Image.fromarray(rgb).convert(mode).save(buffer, "TIFF", compression=compression)
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        rgba = np.asarray(image.convert("RGBA"), np.float64)
    shown = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]
    # Within the rounding of YCbCr and of alpha.
    exact = mode in ("1", "L", "P", "RGB", "CMYK")
    assert np.abs(np.asarray(read_image_bytes(buffer.getvalue())) - shown).max() <= (0 if exact else 1.01)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_lzw_as_opencv_writes_it(dtype, predictor):
    values = (np.random.default_rng(1).random((40, 50, 3)) * 250).astype(dtype)
    if dtype == "f4" and predictor == 2:
        predictor = 3
    done, data = cv2.imencode(".tif", values, [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, predictor])
    assert done
    np.testing.assert_array_equal(raster(data.tobytes()).values, values[..., ::-1])


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("order", [1, 2])
def test_packed_bits_and_their_scale(bits, order):
    """Samples that are no whole bytes, rows padded, either order of bits: the depth is what the header says."""
    top = 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top + 1, (5, 13))
    values[0, :2] = 0, top // 4
    rows = [int("".join(f"{v:0{bits}b}" for v in row).ljust(-(-13 * bits // 8) * 8, "0"), 2) for row in values]
    packed = b"".join(row.to_bytes(-(-13 * bits // 8), "big") for row in rows)
    if order == 2:
        packed = bytes(int(f"{byte:08b}"[::-1], 2) for byte in packed)
    data = tiff(size(13, 5, bits, t266=order), packed)
    shown = np.asarray(read_image_bytes(data))[..., 0]
    assert np.abs(shown - values * 255 / top).max() <= 0.5 + 1e-9
    assert notes_of(read_image_bytes(data)) == ()
    deflated = tiff(size(13, 5, bits, t259=8), zlib.compress(packed if order == 1 else packed.translate(_TURNED)))
    np.testing.assert_array_equal(np.asarray(read_image_bytes(deflated))[..., 0], shown)


_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("u2", 0, 4095), ("u2", 100, 1100), ("u4", 0, 10**6), ("f4", 0, 255), ("f8", -1, 1), ("i2", -50, 50)],
)
def test_sample_limits_are_the_scale(dtype, low, high):
    values = np.linspace(low, low + (high - low) / 4, 40).reshape(5, 8).astype(dtype)  # a quarter of what is stated
    code = {"u2": "H", "u4": "I", "i2": "h", "f4": "f", "f8": "d"}[dtype]
    data = written(values, photometric="minisblack", extratags=[(340, code, 1, low, True), (341, code, 1, high, True)])
    shown = np.asarray(read_image_bytes(data))[..., 0]
    assert np.abs(shown - (values.astype(float) - low) * 255 / (high - low)).max() <= 0.5 + 1e-6
    assert notes_of(read_image_bytes(data)) == ()
    beyond = written(values * 0 + values.dtype.type(high + 1), extratags=[(341, code, 1, high, True)])
    assert "SMaxSampleValue" in notes_of(read_image_bytes(beyond))[0]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("samples", [2, 4])
@pytest.mark.parametrize("meaning", [1, 2])
def test_alpha_of_both_kinds_in_every_depth(dtype, samples, meaning):
    top = {"u1": 255, "u2": 65535, "f4": 1}[dtype]
    rng = np.random.default_rng(samples)
    alpha, colour = rng.random((6, 7, 1)), rng.random((6, 7, samples - 1))
    colour = colour * alpha if meaning == 1 else colour
    values = (np.dstack([colour, alpha]) * top).round(0 if top > 1 else 6).astype(dtype)
    data = written(
        values, photometric="rgb" if samples == 4 else "minisblack", planarconfig="contig", extrasamples=[meaning]
    )
    shown = np.broadcast_to(255 * (colour if meaning == 1 else colour * alpha) + 255 * (1 - alpha), (6, 7, 3))
    assert np.abs(np.asarray(read_image_bytes(data)) - shown).max() <= 1.5


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_inks_and_palettes_in_both_depths(dtype):
    top = np.iinfo(dtype).max
    inks = (np.random.default_rng(0).random((5, 6, 4)) * top).astype(dtype)
    expected = 255 * (1 - inks[..., :3] / top) * (1 - inks[..., 3:] / top)
    shown = np.asarray(read_image_bytes(written(inks, photometric="separated", planarconfig="contig")))
    assert np.abs(shown - expected).max() <= 0.5 + 1e-4
    colours = np.random.default_rng(1).integers(0, 256, (3, int(top) + 1)).astype(np.uint16) * 257
    index = np.random.default_rng(2).integers(0, int(top) + 1, (7, 9)).astype(dtype)
    shown = np.asarray(read_image_bytes(written(index, photometric="palette", colormap=colours)))
    np.testing.assert_array_equal(shown, np.moveaxis(colours // 257, 0, -1)[index])


@pytest.mark.parametrize("across", [1, 2, 4])
@pytest.mark.parametrize("down", [1, 2, 4])
def test_subsampled_ycbcr_by_hand(across, down):
    """Units of a block of Y, one Cb, one Cr; grey chroma gives grey, and each block has its own colour."""
    wide, high = 3 * across - (across > 1), 2 * down - (down > 1)  # sides that end within a block
    rng = np.random.default_rng(3)
    luma = rng.integers(60, 180, (2 * down, 3 * across), dtype=np.uint8)
    chroma = rng.integers(118, 138, (2, 3, 2), dtype=np.uint8)
    pieces = [
        luma[y * down : (y + 1) * down, x * across : (x + 1) * across].tobytes() + chroma[y, x].tobytes()
        for y in range(2)
        for x in range(3)
    ]
    tags = size(wide, high, photometric=6, t277=3) | {530: ("H", (across, down)), 258: ("H", (8, 8, 8))}
    shown = np.asarray(read_image_bytes(tiff(tags, b"".join(pieces)))).astype(float)
    full = np.dstack([luma, chroma.repeat(down, 0).repeat(across, 1)])[:high, :wide]
    expected = np.asarray(Image.fromarray(full, "YCbCr").convert("RGB"))
    assert np.abs(shown - expected).max() <= 1


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}])
def test_lab_colours_are_those_of_littlecms_without_its_tables(rgb, options):
    """Pillow writes CIE's form, whose a and b are signed; the same with the offset of ICC's."""
    lab, buffer = Image.fromarray(rgb).convert("LAB"), io.BytesIO()
    lab.save(buffer, "TIFF", **options)
    profiles = [ImageCms.createProfile(name) for name in ("LAB", "sRGB")]
    exact = ImageCms.buildTransform(*profiles, "LAB", "RGB", flags=ImageCms.Flags.NOOPTIMIZE)
    expected = np.asarray(ImageCms.applyTransform(lab, exact)).astype(int)
    assert np.abs(expected - rgb).mean() < 3, "the colours, whichever way"
    assert np.abs(np.asarray(read_image_bytes(buffer.getvalue())) - expected).max() <= 1
    stored = np.dstack([np.asarray(plane) for plane in lab.split()])
    assert np.abs(np.asarray(read_image_bytes(written(stored, photometric=9))) - expected).max() <= 1
    with pytest.raises(ImageReadError, match="Lab TIFF of more than 8 bits"):
        read_image_bytes(written(stored.astype(np.uint16) * 257, photometric=8))


def test_lab_colours_count_from_the_white_that_the_file_names(rgb):
    lab = skimage.color.rgb2lab(rgb, illuminant="D65") * (2.55, 1, 1)
    stored = np.dstack([np.round(lab[..., 0]), np.round(lab[..., 1:]).astype(np.int8).view(np.uint8)]).astype(np.uint8)
    values = np.dstack([stored[..., 0] / 2.55, stored[..., 1:].view(np.int8)])
    expected = skimage.color.lab2rgb(values, illuminant="D65") * 255

    def seen(x: int, y: int) -> np.ndarray:
        return np.asarray(
            read_image_bytes(written(stored, photometric=8, extratags=[(318, "2I", 2, (x, 10_000, y, 10_000))]))
        )

    assert np.abs(seen(3127, 3290) - expected).max() <= 1.5
    assert np.abs(seen(3457, 3585) - expected).max() > 5, "another white"
    with pytest.raises(ImageReadError, match="white point is impossible"):
        seen(3457, 0)


@pytest.mark.parametrize(
    ("dtype", "mark", "told"),
    [
        ("u2", 65535, "65535"),
        ("u2", 65535, "65535.0\0"),
        ("i2", -9999, "-9999"),
        ("f4", -9999, "-9999"),
        ("f4", -3.4028234663852886e38, "-3.4028235e+38"),
    ],
)
@pytest.mark.parametrize("colours", [(), (3,)])
def test_pixels_that_gdal_calls_empty_are_black_and_no_part_of_the_scale(tmp_path, dtype, mark, told, colours):
    values = np.random.default_rng(3).integers(0, 256, (12, 10, *colours)).astype(dtype)
    kind = "rgb" if colours else "minisblack"
    values[:4, :5] = 0
    tifffile.imwrite(tmp_path / "plain.tif", values, photometric=kind)
    values[:4, :5] = mark
    tifffile.imwrite(tmp_path / "empty.tif", values, photometric=kind, extratags=[(42113, "s", 0, told, True)])
    found = read_image(tmp_path / "empty.tif")
    assert np.array_equal(np.asarray(found), np.asarray(read_image(tmp_path / "plain.tif")))
    assert any("20 of its pixels hold no reading" in note for note in notes_of(found))


@pytest.mark.parametrize("told", ["nan", "n/a", "0", ""])
def test_what_names_no_empty_value_changes_nothing(tmp_path, told):
    values = np.random.default_rng(4).integers(0, 65536, (8, 8)).astype("u2")
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(42113, "s", 0, told, True)])
    tifffile.imwrite(tmp_path / "b.tif", values)
    assert np.array_equal(*(np.asarray(read_image(tmp_path / name)) for name in ("a.tif", "b.tif")))


def test_more_bands_beside_the_colours_are_left_out_and_told(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (8, 10, 5), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", planarconfig="contig", extrasamples=[0, 0])
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(image), values[..., :3])
    assert notes_of(image) == ("2 of its 5 TIFF samples are no colours and were left out",)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_reading_makes_few_copies(tmp_path, dtype):
    """Peak of what NumPy and Python hold while the samples of one strip are read: the samples and some bands."""
    import tracemalloc

    values = np.zeros((2000, 3000, 3), dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression="zlib", predictor=dtype != "f4")
    with (tmp_path / "a.tif").open("rb") as file:
        header = read_header(file, 10**8)
        tracemalloc.start()
        decode(file, *header.facts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1.2 * values.nbytes + 40e6
    assert header.decoded_bytes >= peak


def test_read_from_a_path_and_from_bytes_alike(tmp_path: Path):
    values = np.random.default_rng(5).integers(0, 65536, (9, 9, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    shown = np.asarray(read_image(tmp_path / "a.tif"))
    np.testing.assert_array_equal(shown, np.asarray(read_image_bytes((tmp_path / "a.tif").read_bytes())))
