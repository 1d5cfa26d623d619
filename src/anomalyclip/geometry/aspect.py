"""Input sizes in the proportions of an image, in whole patches."""

from __future__ import annotations

import math

MOST_RATIO = 4.0
"""Longer images are fed as 4 : 1: beyond, positions are stretched further than a model can read. Tile them."""


def fitted_size(width: int, height: int, side: int, patch: int) -> tuple[int, int]:
    """(height, width) of the input for an image of `width` x `height`: about as many patches as side x side holds.

    The ViT reads any grid: its positions are interpolated to it. The number of patches, and so the cost, stays, and
    what is left of the distortion is the rounding to whole patches.

    >>> fitted_size(1000, 1000, 320, 16), fitted_size(1000, 500, 320, 16), fitted_size(9000, 100, 320, 16)
    ((320, 320), (224, 448), (160, 640))
    """
    ratio = min(max(width / height, 1 / MOST_RATIO), MOST_RATIO)
    patches = max(1, side // patch)
    rows, columns = patches / math.sqrt(ratio), patches * math.sqrt(ratio)
    return max(1, round(rows)) * patch, max(1, round(columns)) * patch
