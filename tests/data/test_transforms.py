"""Mask preprocessing against its definition (METHOD section 2)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from anomalyclip.data.transforms import MEAN, STD, normalise, preprocess_mask


def test_mask_is_binarised_then_resized_then_thresholded():
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:25, 20:50] = True
    resized = np.asarray(Image.fromarray(mask.astype(np.float32), "F").resize((30, 30), Image.Resampling.BILINEAR))
    ours = preprocess_mask(mask, 30)
    assert set(np.unique(ours)) == {0.0, 1.0}
    clear = np.abs(resized - 0.5) > 0.01  # 8-bit rounding may move values at the threshold itself
    np.testing.assert_array_equal(ours[clear], (resized > 0.5)[clear])


def test_normalise_keeps_leading_axes():
    pixels = np.zeros((2, 4, 5, 3), np.uint8)
    assert normalise(pixels).shape == (2, 3, 4, 5)


def test_normalise_is_the_definition_for_every_value_and_channel():
    pixels = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)  # (256, 1, 3)
    expected = (np.arange(256)[:, None] / 255 - MEAN) / STD
    np.testing.assert_allclose(normalise(pixels)[:, :, 0].T, expected, rtol=0, atol=3e-7)
    assert normalise(pixels).flags.c_contiguous
