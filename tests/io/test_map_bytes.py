"""Maps for the network, read by programs that are not ours."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from PIL import Image

from anomalyclip.io import encode_map, half_tiff, heat_png, write_map


def test_half_tiff_is_read_by_tifffile() -> None:
    heat = np.random.default_rng(8).random((37, 53), dtype=np.float32)
    with tifffile.TiffFile(io.BytesIO(half_tiff(heat))) as file:
        (page,) = file.pages
        assert (page.dtype, page.shape, page.samplesperpixel) == (np.float16, (37, 53), 1)
        np.testing.assert_array_equal(page.asarray(), heat.astype(np.float16))
    assert np.abs(heat - heat.astype(np.float16)).max() < 2.5e-4


def test_heat_png_is_clear_where_nothing_is_suspicious() -> None:
    heat = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    heat[0, 1] = np.nan
    with Image.open(io.BytesIO(heat_png(heat))) as picture:
        assert (picture.mode, picture.size) == ("RGBA", (16, 16))
        values = np.asarray(picture)
    alpha = values[..., 3].ravel()
    assert alpha[0] == alpha[1] == 0
    np.testing.assert_array_equal(alpha[2:], np.arange(2, 256))
    light = values[..., :3].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert np.diff(light.ravel()[2:]).min() > -2, "lightness rises with the value"


def test_encoded_is_what_is_written(tmp_path) -> None:
    heat = np.random.default_rng(8).random((7, 5), dtype=np.float32)
    write_map(tmp_path / "a.tiff", heat)
    assert (tmp_path / "a.tiff").read_bytes() == encode_map(heat, "tiff")
