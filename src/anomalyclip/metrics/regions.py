"""Anomalous regions of a mask, and the weight that lets each of them count the same whatever its size."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from anomalyclip.metrics.arrays import BoolArray, FloatArray

Connectivity: TypeAlias = Literal[4, 8]


def label_regions(mask: BoolArray, connectivity: Connectivity = 8) -> NDArray[np.int32]:
    """Number the connected regions of a mask (H, W): 0 outside, 1.. inside.

    8 joins diagonal neighbours (what the authors' evaluation does through scikit-image's default); 4 does not.
    """
    import cv2  # loads in 100 ms: not at the start of programs that never look at masks

    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S)
    return cast("NDArray[np.int32]", labels)


def region_weights(mask: BoolArray, connectivity: Connectivity = 8) -> FloatArray:
    """1 / area of its region, for each anomalous pixel in row-major order: every region's weights add up to 1."""
    if not mask.any():
        return np.empty(0)
    labels = label_regions(mask, connectivity)[mask]
    with np.errstate(divide="ignore"):  # label 0 lies outside the mask: no pixel asks for its weight
        return np.asarray((1.0 / np.bincount(labels))[labels])
