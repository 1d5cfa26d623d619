"""What happens to pictures between camera and user: washed out, hard copies, casts, windows, negatives, borders."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import Array, Rng, chance, coords, log_uniform
from .paint import text, words

_SHARE = 0.35  # of pictures that get a look


def look(rng: Rng, image: Array, medical: bool) -> Array:
    """One look of a picture, uint8 (S, S, 3) in and out: the same for the normal and the damaged one of a seed."""
    if not chance(rng, _SHARE):
        return image
    values = image.astype(np.float32) / 255
    kind = int(rng.integers(6))
    if kind == 0:  # washed out, or hard contrast
        values = 0.5 + (values - 0.5) * np.float32(log_uniform(rng, 0.35, 2.2)) + np.float32(rng.normal(0, 0.12))
    elif kind == 1:
        values = np.clip(values, 1e-4, 1) ** np.float32(log_uniform(rng, 0.4, 2.5))
    elif kind == 2:  # a cast, as of mixed lamps
        values = values * np.exp(rng.normal(0, 0.22, 3)).astype(np.float32)
    elif kind == 3 and medical:  # another window; film is sometimes shown as a negative
        low = rng.uniform(0, 0.3)
        values = (values - np.float32(low)) / np.float32(rng.uniform(0.4, 1.0) - low * 0.5)
        values = 1 - values if chance(rng, 0.3) else values
    elif kind == 4:  # small and enlarged again
        side = int(image.shape[0] * log_uniform(rng, 0.25, 0.8))
        small = cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)
        values = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    else:
        values = _frame(rng, values)
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _frame(rng: Rng, values: Array) -> Array:
    """A dark round stop, black bars, ruler marks or a caption in a corner."""
    n = values.shape[0]
    x, y = coords(n)
    kind = int(rng.integers(3))
    if kind == 0:
        edge = n * rng.uniform(0.48, 0.62)
        stop = 1 / (1 + np.exp((np.sqrt(x * x + y * y) - np.float32(edge)) / np.float32(n * rng.uniform(0.003, 0.06))))
        return np.asarray(values * stop[..., None], np.float32)
    if kind == 1:
        bar = int(n * rng.uniform(0.02, 0.12))
        out = values.copy()
        (out.swapaxes(0, 1) if chance(rng, 0.5) else out)[:bar] = np.float32(rng.choice([0.0, 1.0]))
        return out
    mark = text(rng, n, n * rng.uniform(0.15, 0.85), n * rng.choice([0.05, 0.95]), n * 0.035, words(rng, 7))
    ticks = (np.abs(y - np.float32(n * 0.46)) < n * 0.015) & (np.mod(x, n / 16) < 1.5) & (x > 0)
    ink = np.maximum(mark, ticks.astype(np.float32))[..., None]
    return np.asarray(values + (np.float32(rng.choice([0.0, 1.0])) - values) * ink, np.float32)


def another(rng: Rng, image: Array) -> Array:
    """Another look of a whole picture, uint8 (S, S, 3) in and out: several changes at once that no defect makes.

    Contrast, brightness, gamma, cast, negative, grey, focus, noise, quarter turns, a small copy, JPEG.
    """
    values = image.astype(np.float32) / np.float32(255)
    if chance(rng, 0.6):
        values = np.clip((values - 0.5) * rng.uniform(0.5, 1.5) + 0.5 + rng.uniform(-0.2, 0.2), 0, 1)
    if chance(rng, 0.5):
        values = values ** np.exp(rng.uniform(-0.6, 0.6))
    if chance(rng, 0.4):
        values = np.clip(values * rng.uniform(0.8, 1.2, 3), 0, 1)
    if chance(rng, 0.15):
        values = 1 - values
    if chance(rng, 0.2):
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    if chance(rng, 0.3):
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.2))
    if chance(rng, 0.3):
        values = np.clip(values + rng.normal(0, rng.uniform(0.005, 0.03), values.shape), 0, 1)
    if chance(rng, 0.5):
        values = np.rot90(values, int(rng.integers(4)))
    if chance(rng, 0.3):
        side = int(len(values) * rng.uniform(0.5, 0.9))
        small = cv2.resize(np.ascontiguousarray(values), (side, side), interpolation=cv2.INTER_AREA)
        values = cv2.resize(small, image.shape[1::-1])
    picture = np.ascontiguousarray(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    if chance(rng, 0.4):
        _, kept = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        picture = np.asarray(cv2.imdecode(kept, cv2.IMREAD_COLOR), np.uint8)
    return picture
