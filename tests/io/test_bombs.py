"""Headers that promise more pixels than the file holds, or more than the limit allows."""

from __future__ import annotations

import resource
import struct
import tracemalloc
import warnings
import zlib

import pytest
from PIL import Image
from tests.io.headers import chunk, problem, tiff_header

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image, read_image_bytes, read_mask


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def webp_header(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<IB3x", 10, 0)
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_header(width: int, height: int) -> bytes:
    return (
        b"\xff\xd8"
        + b"\xff\xc0"
        + struct.pack(">HBHHB", 11, 8, height, width, 1)
        + b"\1\x11\0"
        + b"\xff\xda\0\x08\1\1\0\0?\0"
    )


HEADERS = {
    "png": png_header(20_000, 20_000) + chunk(b"IDAT", b""),
    "png16": png_header(20_000, 20_000, 16) + chunk(b"IDAT", b""),
    "jpeg": jpeg_header(20_000, 20_000),
    "bmp": b"BM" + struct.pack("<IHHI IiiHHIIiiII", 54, 0, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 1, 1, 0, 0),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 20_000, 20_000, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    "gif frame": b"GIF89a"
    + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    + b","
    + struct.pack("<HHHHB", 1, 1, 19_999, 19_999, 0),
    "tiff": tiff_header(20_000, 20_000),
    "tiff tile": tiff_header(1, 1, t322=(20_000,), t323=(20_000,)),
    "tiff deep": tiff_header(20_000, 20_000, t258=(16,)),
    "webp": webp_header(20_000, 20_000),
}


@pytest.mark.parametrize("name", HEADERS)
def test_bombs_are_refused_from_the_header_without_memory(tmp_path, name):
    path = tmp_path / "bomb"
    path.write_bytes(HEADERS[name])
    problem(path)  # imports and caches
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        message = problem(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "20000 x 20000 = 400 megapixels, the limit is 89.48" in message
    assert "raise max_pixels" in message
    assert not leaked
    assert peak < 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.parametrize("size", [(70_000_000, 1), (1, 40_000_000)])
def test_what_is_too_long_for_any_resizing_is_refused_by_its_side(tmp_path, size):
    """A row of 70 million pixels is below every limit of pixels, and Pillow ends in a MemoryError without a word."""
    path = tmp_path / "row.png"
    path.write_bytes(png_header(*size) + chunk(b"IDAT", b""))
    assert f"{size[0]} x {size[1]} pixels, the limit of a side is 33,554,432" in problem(path)


def test_a_whole_bomb_is_refused_too(tmp_path):
    """20,000 x 20,000 zeros are a valid PNG of half a megabyte."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 2500) * 100) for _ in range(200)) + packer.flush()
    data = png_header(20_000, 20_000, 1, 0) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    assert "400 megapixels" in problem(tmp_path / "a.png")
    assert "400 megapixels" in problem(tmp_path / "a.png", read_mask)


def test_the_limit_is_inclusive_and_can_be_changed(tmp_path):
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=600).size == (30, 20)
    assert "30 x 20" in problem(tmp_path / "a.png", max_pixels=599)
    assert "MB" in problem(tmp_path / "a.png", max_bytes=10)
    with pytest.raises(ImageReadError, match="MB"):
        read_image_bytes((tmp_path / "a.png").read_bytes(), max_bytes=10)


def test_a_larger_limit_reads_what_pillow_alone_would_warn_about(tmp_path):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_mask(tmp_path / "a.png", max_pixels=90_000_000).shape == (9_000, 10_000)
