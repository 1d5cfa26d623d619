"""JPEG 2000 of other depths than 8 bits and with fewer colours than pixels, against the values that were encoded."""

from __future__ import annotations

import re
import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.io.encoded import encoded, pixels

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image_bytes, read_mask

_SIZ = b"\xff\x4f\xff\x51"


def values_of(bits: int, channels: int) -> np.ndarray:
    """(48, 64, channels) ramps over all values, which OpenCV codes without loss; the fourth sample is nearly opaque."""
    top = 2**bits - 1
    ramp = np.linspace(0, top, 48 * 64).round().astype(int).reshape(48, 64)
    alpha = np.where(ramp < top / 2, top, max(top - 1, 1))
    return np.stack([ramp, ramp[::-1], np.roll(ramp, 5, axis=1), alpha][:channels], axis=-1)


def codestream(values: np.ndarray, bits: int) -> bytes:
    """Samples of so many bits: written as 8 or 16 around their middle, which is what the format keeps, and named so."""
    whole = 8 if bits <= 8 else 16
    shifted = (values + 2 ** (whole - 1) - 2 ** (bits - 1)).squeeze().astype(f"u{whole // 8}")
    if whole == 8:
        data = bytearray(encoded(shifted, "JPEG2000", no_jp2=True, irreversible=False))
    else:
        shown = shifted if shifted.ndim == 2 else shifted[..., [2, 1, 0, 3][: shifted.shape[2]]]
        boxed = np.asarray(cv2.imencode(".jp2", shown)[1]).tobytes()
        data = bytearray(boxed[boxed.index(_SIZ) :])
    return with_components(data, [(bits - 1, 1, 1)] * values.shape[2])


def with_components(data: bytes, told: list[tuple[int, int, int]]) -> bytes:
    """Depth, step across and step down of every component written anew."""
    out = bytearray(data)
    out[42 : 42 + 3 * len(told)] = b"".join(struct.pack("3B", *one) for one in told)
    return bytes(out)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [1, 4, 7, 9, 12, 16])
def test_samples_of_every_depth_end_at_white(tmp_path, bits, channels):
    values = values_of(bits, channels)
    data = codestream(values, bits)
    unit = values / (2**bits - 1)
    if channels == 4:
        unit = unit[..., :3] * unit[..., 3:] + 1 - unit[..., 3:]
    assert np.abs(pixels(data) - np.broadcast_to(unit * 255, (48, 64, 3))).max() <= (1 if channels == 4 else 0.51)
    (tmp_path / "mask.j2k").write_bytes(data)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.j2k"), (values[..., :3] > 0).any(-1))


def test_alpha_of_one_bit_beside_colours_of_eight():
    values = values_of(8, 4)
    values[..., 3] = values[..., 0] > 99
    shifted = values + np.array([0, 0, 0, 127])
    data = encoded(shifted.astype(np.uint8), "JPEG2000", no_jp2=True, irreversible=False)
    data = with_components(data, [(7, 1, 1)] * 3 + [(0, 1, 1)])
    np.testing.assert_array_equal(pixels(data), np.where(values[..., 3:] == 1, values[..., :3], 255))


REFUSED = {
    "colours deeper than their alpha": ("RGBA", [(15, 1, 1)] * 3 + [(0, 1, 1)], "of 1, 16 bits in 4 components"),
    "deep grey with alpha": ("LA", [(11, 1, 1)] * 2, "of 12 bits in 2 components"),
    "deeper than 16": ("L", [(19, 1, 1)], "of 20 bits"),
    "deep 4:4:0": ("RGB", [(9, 1, 1)] + [(9, 1, 2)] * 2, "of 10 bits that are no plain grey or RGB"),
    "4:2:0 of odd width": ("RGB", [(7, 1, 1)] + [(7, 2, 2)] * 2, "1 x 1, 2 x 2, 2 x 2 pixels"),
    "all of them at every second pixel": ("RGB", [(7, 2, 1)] * 3, "2 x 1, 2 x 1, 2 x 1 pixels"),
    "no step": ("RGB", [(7, 1, 1)] + [(7, 0, 1)] * 2, "0 x 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_decoder_gives_back_is_refused(name):
    mode, told, says = REFUSED[name]
    data = with_components(encoded(Image.new(mode, (31, 24)), "JPEG2000", no_jp2=True), told)
    with pytest.raises(ImageReadError, match=re.escape(says)):
        read_image_bytes(data)


def test_deep_pictures_that_begin_beside_the_origin_of_their_grid():
    """Grey ones are read, as before; OpenCV, which reads colours, knows no such offset."""

    def moved(mode: str, bits: int) -> bytes:
        places = {"offset": (8, 6), "tile_size": (64, 64)}
        picture = encoded(Image.new(mode, (40, 30)), "JPEG2000", no_jp2=True, **places)
        return with_components(picture, [(bits - 1, 1, 1)] * len(mode))

    assert read_image_bytes(moved("L", 12)).size == (40, 30)
    with pytest.raises(ImageReadError, match="begins at 8, 6 of its grid"):
        read_image_bytes(moved("RGB", 12))


def test_steps_have_to_divide_tiles_too():
    def fewer(tile: int) -> bytes:
        image = encoded(Image.new("RGB", (32, 24)), "JPEG2000", no_jp2=True, tile_size=(tile, 16))
        return with_components(image, [(7, 1, 1)] + [(7, 2, 2)] * 2)

    assert read_image_bytes(fewer(16)).size == (32, 24)
    with pytest.raises(ImageReadError, match="do not divide its size or its tiles"):
        read_image_bytes(fewer(15))
