"""Mask preprocessing against its definition (METHOD section 2)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from anomalyclip.data.transforms import normalise, preprocess_mask


def test_mask_is_binarised_then_resized_then_thresholded():
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:25, 20:50] = True
    resized = np.asarray(Image.fromarray(mask.astype(np.float32), "F").resize((30, 30), Image.Resampling.BILINEAR))
    ours = preprocess_mask(mask, 30).numpy()
    assert set(np.unique(ours)) == {0.0, 1.0}
    clear = np.abs(resized - 0.5) > 0.01  # 8-bit rounding may move values at the threshold itself
    np.testing.assert_array_equal(ours[clear], (resized > 0.5)[clear])


def test_normalise_keeps_leading_axes():
    import torch

    pixels = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    assert normalise(pixels).shape == (2, 3, 4, 5)
