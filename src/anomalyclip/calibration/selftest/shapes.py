"""Where a painted fault lies and what outline it has: soft masks (H, W) in [0, 1] on the user's own picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

_WIDE = 128.0  # pixels

Place = tuple[float, float]
"""(x, y) in pixels."""


def place(picture: NDArray[np.uint8], rng: np.random.Generator) -> Place:
    """A point that has something around it: flat margins and empty backgrounds are seldom chosen.

    Drawn in proportion to how much the grey values vary nearby, plus a tenth of the mean everywhere.
    """
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    busy = cv2.GaussianBlur(np.abs(small - cv2.GaussianBlur(small, (0, 0), 3)), (0, 0), 2)
    weights = (busy + 0.1 * busy.mean() + 1e-6).astype(np.float64).ravel()
    cell = int(rng.choice(weights.size, p=weights / weights.sum()))
    row, column = divmod(cell, 32)
    return (column + rng.random()) * width / 32, (row + rng.random()) * height / 32


def line(shape: tuple[int, int], points: NDArray[np.float64], thickness: float) -> Mask:
    """A polyline through points (n, 2) in pixels, antialiased; thinner than a pixel it fades."""
    mask = np.zeros(shape, np.uint8)
    fixed = np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(mask, [fixed], False, 255, max(1, round(thickness)), cv2.LINE_AA, 4)
    return np.asarray(mask * (min(1.0, thickness) / 255), np.float32)


def blob(shape: tuple[int, int], centre: Place, size: float, rng: np.random.Generator, soft: float = 0.1) -> Mask:
    """An uneven closed outline about `size` pixels across, its edge blurred over `soft` of the size."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = size / 2 * (1 + sum(rng.normal(0, 0.18 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in (2, 3, 4)))
    squeeze, turn = rng.uniform(0.6, 1), rng.uniform(0, np.pi)
    x, y = radius * np.cos(angles), radius * np.sin(angles) * squeeze
    outline = np.stack(
        [centre[0] + x * np.cos(turn) - y * np.sin(turn), centre[1] + x * np.sin(turn) + y * np.cos(turn)], 1
    )
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    out = np.asarray(mask / 255, np.float32)
    return smooth(out, soft * size) if soft * size > 0.3 else out


def smooth(values: NDArray[Any], sigma: float) -> NDArray[Any]:
    """A Gaussian of `sigma` pixels over (H, W[, C]), in float32 or uint8.

    A wide one is made on a smaller copy, which loses nothing of what it lets through: in full it takes 8 `sigma`
    products for each pixel and direction, minutes for a zone of a large picture, in one call that no signal interrupts.
    """
    shrink = int(sigma / _WIDE) + 1
    if shrink == 1:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), values.dtype)
    height, width = values.shape[:2]
    small = cv2.resize(values, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), values.dtype)


def walk(start: Place, length: float, bend: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A path (n, 2) of `length` pixels whose direction turns by `bend` radians a step, middle at `start`."""
    steps = max(3, int(length / 6) + 2)
    direction = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, steps))
    path = np.cumsum(np.stack([np.cos(direction), np.sin(direction)], 1) * (length / steps), axis=0)
    out: NDArray[np.float64] = path - path.mean(axis=0) + np.array(start)
    return out
