"""Maps of patch values, against PyTorch's bilinear interpolation and SciPy's Gaussian."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from anomalyclip.judges.memory.upsampling import upsampled


@pytest.mark.parametrize(
    ("shape", "size", "sigma"),
    [
        ((20, 20), (320, 320), 4.0),
        ((3, 7), (50, 97), 2.5),
        ((1, 1), (16, 16), 4.0),
        ((5, 9), (3, 4), 0.5),
        ((2, 3), (8, 9), 0.0),
    ],
)
def test_a_map_is_interpolated_and_then_smoothed(shape: tuple[int, int], size: tuple[int, int], sigma: float) -> None:
    grid = np.random.default_rng(1).random(shape).astype(np.float32)
    given = torch.from_numpy(grid)[None, None].double()
    expected = torch.nn.functional.interpolate(given, size, mode="bilinear", align_corners=False)[0, 0].numpy()
    if sigma:
        expected = gaussian_filter(expected, sigma, mode="reflect", truncate=4.0)
    assert_allclose(upsampled(grid, size, sigma), expected, atol=2e-6)
