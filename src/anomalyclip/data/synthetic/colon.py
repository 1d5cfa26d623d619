"""A hollow organ as its own lamp shows it: light from the lens, so near walls glow, far ones sink into the dark."""

from __future__ import annotations

import cv2
import numpy as np

from .medical import MUCOSA, endoscope_frame, overlay, vessels
from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, step
from .palette import vary
from .scene import Scene


def facing(height: Array, steep: float) -> Array:
    """How squarely a height field faces the lens: 1 on the flat, towards 0 on slopes. float32 (n, n)."""
    gx = cv2.Sobel(np.asarray(height, np.float32), cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    gy = cv2.Sobel(np.asarray(height, np.float32), cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return 1 / np.sqrt(1 + (gx * gx + gy * gy) * np.float32(steep * steep))


def film(value: Array, base: tuple[float, ...], gain: float) -> Array:
    """Tissue at a brightness: red saturates first, as overexposed mucosa does. float32 (n, n, 3)."""
    tone = np.asarray(base, np.float32) * np.float32(gain)
    return (1 - np.exp(-np.clip(value, 0, 6)[..., None] * tone)).astype(np.float32)


def wet(rng: Rng, n: int, height: Array, amount: float) -> Array:
    """Small reflections where the surface faces the lens, in loose groups: coverage (n, n)."""
    grain = fractal(rng, n, log_uniform(rng, 16, 45), 2, 0.5, (rng.uniform(0.6, 1.4), 1.0))
    groups = smooth(rng, n, rng.uniform(2, 5)) * 0.8 + facing(blur(height, 2), 1.0) * 1.0 - 1.0
    return blur(step(grain + groups, 3.6 - amount, 0.3), 0.5)


def colon(n: int, rng: Rng) -> Scene:
    """Folded wall with crescent ridges around a dark lumen that may lie outside the picture, or a wall close up."""
    x, y = coords(n)
    close = chance(rng, 0.4)
    away = rng.uniform(0.45, 0.9) if close else abs(rng.normal(0, 0.25))
    angle = rng.uniform(0, 2 * np.pi)
    cx, cy = (np.float32(n * away * f(angle)) for f in (np.cos, np.sin))
    bend = [smooth(rng, n, 1.8) * np.float32(n * 0.06) for _ in range(2)]
    dx, dy = x - cx + bend[0], (y - cy) * np.float32(rng.uniform(0.8, 1.25)) + bend[1]
    d, turn = np.sqrt(dx * dx + dy * dy) / np.float32(n), np.arctan2(dy, dx)
    near = np.clip(d / np.float32(rng.uniform(0.18, 0.45)), 0, 1.6) ** np.float32(rng.uniform(0.8, 2.0))
    ridges, rolling = _crescents(rng, n, d, turn), fractal(rng, n, 2, 3) * np.float32(n * rng.uniform(0.01, 0.05))
    shine = facing(rolling, rng.uniform(0.6, 2.0)) * (0.12 + 0.88 * near) * ridges
    shine *= np.exp(smooth(rng, n, 1.4) * np.float32(rng.uniform(0.05, 0.35)))
    base = vary(rng, MUCOSA[int(rng.integers(len(MUCOSA)))], 0.08)
    image = film(shine * rng.uniform(0.7, 1.4), base, rng.uniform(0.8, 1.4))
    red = fractal(rng, n, rng.uniform(2, 6), 5, 0.65)[..., None]
    image = image * (1 + red * np.array([0.015, -0.05, -0.045], np.float32) * np.float32(rng.uniform(0.3, 1.5)))
    if chance(rng, 0.8):
        tree = blur(vessels(rng, n, int(rng.integers(2, 9)), rng.uniform(0.8, 2.0) * n / 215), 0.8)
        image *= 1 - tree[..., None] * np.array([0.10, 0.34, 0.32], np.float32) * np.float32(rng.uniform(0.15, 0.8))
    if chance(rng, 0.2):
        residue = step(fractal(rng, n, 5, 4, 0.6), rng.uniform(1.5, 2.2), 0.5)[..., None]
        image = image + (image * np.array([1.0, 0.95, 0.5], np.float32) - image) * residue
    image = image + (1 - image) * (wet(rng, n, rolling, rng.uniform(0, 0.8)) * np.clip(near, 0, 1))[..., None]
    frame = endoscope_frame(rng, n)
    image = image * frame[..., None]
    if chance(rng, 0.5):
        image = overlay(rng, n, image)
    where = cv2.erode((frame > 0.9).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    light = (float(-np.cos(angle)), float(-np.sin(angle)))  # the far side of a growth lies towards the lumen
    subject = str(rng.choice(["colon", "endoscopy image of the colon", "mucosa", "stomach wall", "bowel"]))
    return Scene(np.clip(image, 0, 1), subject, where & (near > 0.15), light, colour="pink", period=n / 12)


def _crescents(rng: Rng, n: int, d: Array, turn: Array) -> Array:
    """Brightness of the folds, about 1: each a bright lip with a shadow behind it, not all the way around."""
    rings = rng.uniform(1.0, 3.5)
    phase = np.log(d + np.float32(0.06)) * np.float32(rings) + smooth(rng, n, 1.5) * np.float32(0.35)
    phase = phase + np.cos(turn * 3 + np.float32(rng.uniform(0, 6.3))) * np.float32(rng.uniform(0, 0.2))
    saw = phase - np.floor(phase)  # rises outwards, then falls off a cliff
    lip = np.where(saw > 0.92, (1 - saw) / 0.08, saw / 0.92) - 0.5
    share = np.clip(0.4 + smooth(rng, n, 2.2) * 0.8, 0, 1) * np.float32(rng.uniform(0, 1.1))
    return np.clip(1 + blur(lip.astype(np.float32), 0.8 * n / 215) * share, 0.1, 1.7)
