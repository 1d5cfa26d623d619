"""Maps from the model's size to the image's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resize_map(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """An anomaly map (H, W) at ``size`` = (width, height): float32 (height, width), bilinear, so it stays in range."""
    import cv2

    resized = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32)
