"""PNG: significant bits, filters, interlacing, damage."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ImageCms, PngImagePlugin
from tests.io.encoded import encoded, pixels

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of, read_image_bytes


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15])
@pytest.mark.parametrize("replicated", [False, True])
def test_significant_bits_of_a_png_are_its_scale(png16, bits, replicated):
    top = 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top // 4, (7, 9, 1))
    stored = values << 16 - bits
    if replicated:  # the other way of the standard to fill the lower bits
        stored |= stored >> bits
    data = png16(stored.astype(np.uint16), chunk(b"sBIT", bytes([bits])))
    assert np.abs(pixels(data)[..., 0] - values[..., 0] * 255 / top).max() <= 0.5 + 1e-9
    assert notes_of(read_image_bytes(data)) == ()


def test_significant_bits_of_samples_that_were_not_scaled_up(png16):
    values = np.array([[[0], [1001], [4095]]], np.uint16)
    data = png16(values, chunk(b"sBIT", b"\x0c"))
    np.testing.assert_array_equal(pixels(data)[0, :, 0], [0, 62, 255])
    assert "not scaled up" in notes_of(read_image_bytes(data))[0]


def test_significant_bits_and_alpha(png16):
    values = np.array([[[1000 << 4, 0, 4095 << 4, 65535], [0, 0, 0, 0]]], np.uint16)
    data = png16(values, chunk(b"sBIT", b"\x0c\x0c\x0c\x10"))
    np.testing.assert_array_equal(pixels(data), [[[62, 0, 255], [255, 255, 255]]])


@pytest.mark.parametrize("interlaced", [False, True])
def test_every_filter_and_interlacing_at_sixteen_bits(interlaced):
    values = np.random.default_rng(1).integers(0, 65536, (19, 23, 3), dtype=np.uint16)
    if not interlaced:
        done, data = cv2.imencode(".png", values[..., ::-1])
        assert done
        data = data.tobytes()
    else:
        passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        rows = [
            b"\0" + row.astype(">u2").tobytes()
            for left, top, step, down in passes
            for row in values[top::down, left::step]
            if row.size
        ]
        head = struct.pack(">IIBBBBB", 23, 19, 16, 2, 0, 0, 1)
        data = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(b"".join(rows)))
            + chunk(b"IEND", b"")
        )
    np.testing.assert_array_equal(pixels(data), np.floor(values / 65535 * 255 + 0.5))


@pytest.mark.parametrize("depth", [8, 16])
def test_damaged_pixels_of_a_png_are_told_by_us_alone(depth, capfd):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 5, depth, 2, 0, 0, 0))
    row = 18 * depth // 8
    for body, says in (
        (zlib.compress((b"\0" + bytes(row)) * 4), "truncated|4[0-9]+ of|not enough"),
        (zlib.compress((b"\7" + bytes(row)) * 5), "filter|damaged"),
        (zlib.compress((b"\0" + bytes(row)) * 5)[:-20], "truncated"),
        (b"no zlib at all, indeed", "damaged"),
    ):
        data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        with pytest.raises(ImageReadError, match=says):
            read_image_bytes(data)
    assert capfd.readouterr() == ("", "")


def test_profiles_and_texts_of_a_png_change_nothing(smooth):
    information = PngImagePlugin.PngInfo()
    information.add_text("comment", "x" * 5_000_000, zip=True)  # beyond what Pillow would inflate
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(pixels(encoded(smooth, "PNG", pnginfo=information, icc_profile=profile)), smooth)
