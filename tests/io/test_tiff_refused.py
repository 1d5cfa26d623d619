"""TIFF files that are damaged, cut short or no picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.io.tiffs import raster, size, tiff

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image, read_image_bytes, read_mask
from anomalyclip.io.inspection import read_header


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize(
    ("shape", "options", "says"),
    [
        ((8, 10), {"photometric": "cfa"}, "mosaic of a colour sensor"),
        ((8, 10, 3), {"photometric": 34892}, "linear raw"),
        ((8, 10, 3), {"photometric": 10}, "ITU Lab"),
        ((8, 10, 5), {"photometric": "minisblack", "planarconfig": "contig"}, "5 bands that are no colours"),
        ((5, 8, 10), {"photometric": "minisblack", "planarconfig": "separate"}, "5 bands that are no colours"),
        ((8, 10), {"photometric": 4}, "transparency mask"),
        ((8, 10), {"photometric": 51177}, "depth map"),
    ],
)
def test_what_is_no_picture_is_named_alike_in_both_depths(tmp_path, dtype, shape, options, says):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, dtype), **options)
    for read in (read_image, read_mask):
        with pytest.raises(ImageReadError, match=says):
            read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        (size(4, 4, 24), "integers of 24 bits"),
        (size(4, 4, 24, t339=3), "floats of 24 bits"),
        (size(4, 4, 64, t339=6), "complex numbers"),
        (size(4, 4) | {258: ("H", (8, 16, 8)), 277: ("I", (3,)), 262: ("I", (2,))}, "differ in depth"),
        (size(4, 4, t259=6), "old-style JPEG"),
        (size(4, 4, t259=33003), "JPEG 2000"),
        (size(4, 4, t259=50001), "WebP"),
        (size(4, 4, t259=34887), "LERC"),
        (size(4, 4, t259=4711), "unknown kind 4711"),
        (size(4, 4, 16, t259=7), "JPEG-compressed TIFF of 16 bits"),
        (size(4, 4, 12, t259=8, t317=2), "predictor 2 does not fit"),
        (size(4, 4, 16, t259=8, t317=3), "predictor 3 does not fit"),
        (size(4, 4, t277=3), "3 bands that are no colours"),
        (size(4, 4, photometric=2), "1 samples per pixel where its colours need 3"),
        (size(4, 4, photometric=4711), "unknown kind 4711"),
        (size(4, 4, photometric=5, t277=4, t332=2), "inks are not cyan"),
        (size(4, 4, photometric=3), "palette has 0 of 768 values"),
        (size(4, 4, t277=1000), "1,000 samples"),
        (size(4, 4) | {258: ("H", (8,) * 4000)}, "tag 258 has 4,000 values, at most 64"),
        (size(4, 4, photometric=3) | {320: ("H", (8,) * 4000)}, "tag 320 has 4,000 values, at most 768"),
        (size(4, 4, t278=1) | {277: ("I", (1,))}, "1 of the 4 strips"),
    ],
)
def test_every_refusal_names_its_reason(tags, says):
    data = tiff(tags, b"\0" * 4096)
    with pytest.raises(ImageReadError, match=says):
        read_image_bytes(data)


@pytest.mark.parametrize("cut", [40, 200])  # the last bytes of most streams are checksums, not pixels
@pytest.mark.parametrize("kind", [1, 8, 5, 32773, 34925, 50000])
def test_a_short_strip_is_never_filled_up(kind, cut, capfd):
    values = np.random.default_rng(4).integers(0, 256, (20, 30), dtype=np.uint8)
    name = {1: None, 8: "tiff_adobe_deflate", 5: "tiff_lzw", 32773: "packbits", 34925: "lzma", 50000: "zstd"}[kind]
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF", compression=name)
    file = io.BytesIO(buffer.getvalue())
    page, _ = read_header(file, 10**6).facts
    start, count = page.integer(file, 273, 0), page.integer(file, 279, 0)
    piece = buffer.getvalue()[start : start + count]
    whole = tiff(size(30, 20, t259=kind), piece)
    np.testing.assert_array_equal(raster(whole).values, values)
    with pytest.raises(ImageReadError, match=r"truncated|damaged|cut off"):
        read_image_bytes(tiff(size(30, 20, t259=kind), piece[:-cut]))
    assert capfd.readouterr() == ("", "")


def test_missing_byte_counts_of_uncompressed_strips():
    values = np.arange(70, dtype=np.uint8).reshape(7, 10)
    data = tiff(size(10, 7, t278=3), *(values[top : top + 3].tobytes() for top in (0, 3, 6)), sizes=60000)
    np.testing.assert_array_equal(raster(data).values, values)


def test_tiles_that_were_never_written_are_told(tmp_path):
    tiles = iter([np.full((16, 16), 9, np.uint8), None])
    tifffile.imwrite(tmp_path / "a.tif", tiles, shape=(16, 32), dtype="u1", tile=(16, 16), compression="zlib")
    with pytest.raises(ImageReadError, match=r"1 of its 2 strips or tiles were never written.*gdal_translate"):
        read_image(tmp_path / "a.tif")
