"""The defect of last resort: a plain, strong stain that fits anywhere."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng
from .paint import mix
from .sample import Region
from .scene import Scene
from .spot import Spot, distance


def plain_stain(scene: Scene, labels: Array, window: Array, rng: Rng) -> Region:
    """Paint a stain in place at a pixel of `window` and label it 1; it always shows."""
    ys, xs = np.nonzero(window)
    k = int(rng.integers(len(ys)))
    spot = Spot(float(xs[k]), float(ys[k]), max(3.0, scene.n * rng.uniform(0.03, 0.08)), 1.0)
    a = np.clip((1 - distance(scene, spot, rng.uniform(1, 2), rng.uniform(0, 3))) * 3, 0, 1) * scene.where
    a[int(spot.y), int(spot.x)] = 1.0
    level = float(scene.image[int(spot.y), int(spot.x)].mean())
    scene.image = mix(scene.image, np.full(3, 0.02 if level > 0.35 else 0.92), a * 0.9).astype(np.float32)
    labels[a > 0.05] = 1
    return Region(1, "stain", "a dark stain" if level > 0.35 else "a light stain")
