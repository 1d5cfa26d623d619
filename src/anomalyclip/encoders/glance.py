"""A glance: the class token, and what is read out of a stem, from the picture at a smaller size.

Patches see it as it is. Whether all of a picture looks right shows better from afar; where a fault lies, from near. A
glance of half the side costs a quarter of a pass (docs/pocket-log.md, run 38).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import Features
from anomalyclip.encoders.request import FeatureRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array

    Floats = NDArray[np.float32]


def glance_size(height: int, width: int, side: int | None, patch: int) -> tuple[int, int] | None:
    """(h, w) of the glance at an input, whole patches of nearly its proportions and side^2 pixels; None is no other.

    >>> glance_size(320, 320, 160, 16), glance_size(224, 448, 160, 16), glance_size(160, 160, 160, 16)
    ((160, 160), (112, 224), None)
    """
    if not side or height * width <= side**2:
        return None
    factor = side / math.sqrt(height * width) / patch
    size = (max(1, round(height * factor)) * patch, max(1, round(width * factor)) * patch)
    return size if size[0] <= height and size[1] <= width else None


def sides(pixels: Array) -> tuple[int, int]:
    """(H, W), as numbers even where torch traces a graph."""
    return int(pixels.shape[-2]), int(pixels.shape[-1])


def shrunk(pixels: Array, size: tuple[int, int]) -> Floats:
    """Means over areas of pixels (B, 3, H, W), (B, 3, h, w) for ``size`` (h, w)."""
    import cv2

    given = np.asarray(pixels, np.float32)
    found = np.empty((*given.shape[:2], *size), np.float32)
    for place in np.ndindex(given.shape[:2]):
        found[place] = cv2.resize(given[place], size[::-1], interpolation=cv2.INTER_AREA)
    return found


def parts(
    pixels: Array, request: FeatureRequest, patch: int, shrink: Callable[[Any, tuple[int, int]], Any] = shrunk
) -> tuple[FeatureRequest, tuple[Array, FeatureRequest] | None]:
    """What the input has to give, and the glance with what it has to give; None where no other look is asked for.

    The first may be of no kind at all; see :func:`joined`.
    """
    height, width = sides(pixels)
    size = glance_size(height, width, request.glance, patch)
    whole = replace(request, glance=None)
    if size is None or not (request.image or request.summaries):
        return whole, None
    glanced = FeatureRequest(image=request.image, summaries=request.summaries, post_norm_class=request.post_norm_class)
    return replace(whole, image=False, summaries=()), (shrink(pixels, size), glanced)


def joined(features: Features, glanced: Features) -> Features:
    """The one's image and summaries in the other."""
    return replace(features, image=glanced.image, summaries=glanced.summaries)


def with_glance(
    run: Callable[[Any, FeatureRequest], Features],
    pixels: Array,
    request: FeatureRequest,
    patch: int,
    shrink: Callable[[Any, tuple[int, int]], Any] = shrunk,
) -> Features:
    """``run``, of an encoder that knows no glances, for a request that may have one."""
    near, far = parts(pixels, request, patch, shrink)
    if far is None:
        return run(pixels, near)
    height, width = sides(pixels)
    grid = (height // patch, width // patch)
    return joined(run(pixels, near) if near.kinds else Features(grid), run(*far))
