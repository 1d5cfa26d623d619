"""Turned copies of good pictures: parts that lie as they fall are compared with themselves in other poses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rotated(picture: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """A picture (H, W, 3) turned counter-clockwise about (W / 2, H / 2), same size: bilinear, border mirrored.

    As AnomalyDINO's code does it: the centre lies half a pixel beside the middle, so 180 degrees are no flip.
    """
    if degrees % 360 == 0:
        return picture
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    out = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    turned: NDArray[np.uint8] = np.asarray(out, np.uint8)
    return turned


def poses(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The eight poses of a picture (H, W, 3) that move pixels and invent none: quarter turns, and those mirrored.

    The picture itself comes first; quarter turns of an oblong picture are (W, H, 3).
    """
    turned = [np.rot90(one, quarter) for one in (picture, picture[:, ::-1]) for quarter in range(4)]
    return [np.ascontiguousarray(one) for one in turned]


def unposed(boxes: NDArray[np.int32], pose: int, size: tuple[int, int]) -> NDArray[np.int32]:
    """Where boxes (n, 4) of a pose lie in the picture itself: x, y, width, height in pixels.

    pose: its place among :func:`poses`, 0 to 7. size: (width, height) of the picture.
    """
    mirrored, quarters = divmod(pose, 4)
    x, y, width, height = np.asarray(boxes, np.int32).T
    for quarter in reversed(range(quarters)):
        before = size[quarter % 2]  # width of what this quarter turn was given
        x, y, width, height = before - y - height, x, height, width
    if mirrored:
        x = size[0] - x - width
    return np.stack([x, y, width, height], axis=1)
