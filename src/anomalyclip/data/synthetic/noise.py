"""Random fields: the raw stuff of every surface. Fields are float32, zero mean and unit variance unless told."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

# An ndarray; NumPy cannot express the shapes, and its operators return Any, so docstrings give shape and dtype instead.
Array = Any
Rng = np.random.Generator


def white(rng: Rng, *shape: int) -> Array:
    """White Gaussian noise of the given shape."""
    return rng.standard_normal(shape, dtype=np.float32)


def blur(field: Array, sigma: float, sigma_y: float | None = None) -> Array:
    """Gaussian blur, in pixels; a wide blur is done on a smaller copy, which costs a tenth and looks the same."""
    field = np.asarray(field, np.float32)
    widest = min(sigma, sigma if sigma_y is None else sigma_y)
    if widest < 0.05 and max(sigma, sigma_y or 0.0) < 0.05:
        return field
    step = int(widest // 3)
    if step >= 2 and min(field.shape[:2]) >= 12 * step:
        h, w = field.shape[:2]
        small = cv2.resize(field, (max(4, w // step), max(4, h // step)), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step, sigmaY=(sigma_y or sigma) / step)
        return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(field, (0, 0), max(sigma, 0.05), sigmaY=max(sigma if sigma_y is None else sigma_y, 0.05))


def smooth(rng: Rng, n: int, cells_x: float, cells_y: float | None = None) -> Array:
    """One octave of value noise: about `cells` bumps across the n x n field in each direction."""
    cells_y = cells_x if cells_y is None else cells_y
    w, h = (int(np.ceil(c)) + 4 for c in (min(cells_x, n), min(cells_y, n)))
    low = white(rng, h, w)
    sx, sy = min(cells_x, n) / n, min(cells_y, n) / n
    ox, oy = 1.0 + rng.random(), 1.0 + rng.random()
    matrix = np.array([[sx, 0.0, ox], [0.0, sy, oy]], dtype=np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(low, matrix, (n, n), flags=flags, borderMode=cv2.BORDER_REFLECT_101) * np.float32(1.35)


def fractal(
    rng: Rng,
    n: int,
    cells: float = 3.0,
    octaves: int = 5,
    gain: float = 0.55,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Array:
    """Sum of octaves, each twice as fine and `gain` times as strong: the 1/f look of natural surfaces.

    `stretch` multiplies the number of cells in x and y (below 1: elongated along that axis).
    """
    total = np.zeros((n, n), np.float32)
    weight, power = 1.0, 0.0
    for k in range(octaves):
        cx, cy = cells * stretch[0] * 2.0**k, cells * stretch[1] * 2.0**k
        if k > 0 and min(cx, cy) > n:
            break
        total += np.float32(weight) * smooth(rng, n, cx, cy)
        power += weight * weight
        weight *= gain
    return total / np.float32(np.sqrt(power))


def unit(field: Array) -> Array:
    """Stretch a field to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - np.float32(low)) / np.float32(max(high - low, 1e-6))


def step(field: Array, edge: float, width: float) -> Array:
    """Soft threshold: 0 below `edge - width/2`, 1 above `edge + width/2`, smooth between."""
    t = np.clip((field - np.float32(edge)) / np.float32(max(width, 1e-6)) + np.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def cells(rng: Rng, n: int, count: int, jitter_grid: bool = False) -> tuple[Array, Array]:
    """Voronoi cells: (label int32 0..count-1, distance to the nearest seed in pixels)."""
    count = max(2, count)
    if jitter_grid:
        k = max(2, round(np.sqrt(count)))
        base = (np.stack(np.meshgrid(np.arange(k), np.arange(k)), -1).reshape(-1, 2) + 0.5) / k
        seeds = base + rng.uniform(-0.38, 0.38, base.shape) / k
    else:
        seeds = rng.random((count, 2))
    at = np.clip((seeds * n).astype(np.int64), 0, n - 1)
    plane = np.ones((n, n), np.uint8)
    plane[at[:, 1], at[:, 0]] = 0
    dist, labels = cv2.distanceTransformWithLabels(plane, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return labels - 1, dist


def cell_borders(labels: Array, width: float) -> Array:
    """Soft lines in [0, 1] along the borders of a label map, `width` pixels wide."""
    edge = np.ones(labels.shape, np.uint8)
    edge[:, 1:] &= labels[:, 1:] == labels[:, :-1]
    edge[1:, :] &= labels[1:, :] == labels[:-1, :]
    dist = cv2.distanceTransform(edge, cv2.DIST_L2, 3)
    return np.clip(1.0 + width / 2 - dist, 0, 1).astype(np.float32)


def coords(n: int, angle: float = 0.0) -> tuple[Array, Array]:
    """Pixel coordinates (u, v) from the centre, turned by `angle` radians."""
    axis = np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)
    x, y = axis[None, :], axis[:, None]
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * c + y * s, y * c - x * s


def warp(image: Array, dx: Array, dy: Array, linear: bool = True) -> Array:
    """Pull every pixel from (x + dx, y + dy); borders are mirrored."""
    h, w = image.shape[:2]
    xs = np.arange(w, dtype=np.float32)[None, :] + dx.astype(np.float32)
    ys = np.arange(h, dtype=np.float32)[:, None] + dy.astype(np.float32)
    flag = cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST
    return cv2.remap(image, xs, ys, flag, borderMode=cv2.BORDER_REFLECT_101)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is uniform: every order of magnitude gets its share."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: Rng, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)
