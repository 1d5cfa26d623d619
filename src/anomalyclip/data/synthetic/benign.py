"""What real, good products show too: faint wear, slight unevenness, and furniture such as print, bores and stickers.

Drawn from the scene's own random stream, so that normal and anomalous pictures have it alike.
"""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, chance, fractal, log_uniform, smooth, step
from .paint import Finish, body, box, ellipse, mix, regular, relief, stroke, text, walk, words
from .palette import pick, vary
from .scene import Scene


def benign(scene: Scene, traits: frozenset[str], rng: Rng) -> None:
    """Add legitimate variation to a scene, in place."""
    image = scene.image
    n = scene.n
    if chance(rng, 0.4):  # cloudy tone, a few per cent
        image = (
            image
            * (1 + fractal(rng, n, log_uniform(rng, 2, 9), 4, 0.6) * np.float32(rng.uniform(0.005, 0.035)))[..., None]
        )
    if chance(rng, 0.25):
        image = image * faint_wear(rng, n)[..., None]
    if chance(rng, 0.12):
        wave = smooth(rng, n, rng.uniform(1, 3)) * np.float32(n / 12)
        image = image * relief(wave, scene.light, rng.uniform(0.1, 0.6))[..., None]
    if "hard" in traits and "edge" not in traits and "parts" not in traits and chance(rng, 0.14):
        image = furniture(scene, image.copy(), rng)
    scene.image = np.clip(image, 0, 1).astype(np.float32)


def faint_wear(rng: Rng, n: int) -> Array:
    """Hair-fine marks and specks at a few per cent: below what anybody would call a defect."""
    marks = np.ones((n, n), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        path = walk(rng, rng.uniform(0, n, 2), rng.uniform(0, 6.3), n * rng.uniform(0.05, 0.4), 0.08)
        marks += np.float32(rng.normal(0, 0.025)) * stroke(n, path, rng.uniform(0.4, 1.2))
    specks = step(fractal(rng, n, n / log_uniform(rng, 3, 8), 1), rng.uniform(2.0, 2.8), 0.4)
    return marks + specks * np.float32(rng.normal(0, 0.03))


def furniture(scene: Scene, image: Array, rng: Rng) -> Array:
    """Crisp, deliberate things on a surface: a drilled row, a sticker, a stamp, a logo, a drawn line."""
    n = scene.n
    x, y = rng.uniform(0.15, 0.85, 2) * n
    tone = vary(rng, pick(rng)[1])
    kind = int(rng.integers(4))
    if kind == 0:
        count, pitch, r = int(rng.integers(2, 6)), n * rng.uniform(0.1, 0.22), n * rng.uniform(0.01, 0.03)
        for k in range(count):
            at = (n / 2 + (k - (count - 1) / 2) * pitch, y)
            body(image, [ellipse(*at, r)], np.full(3, 0.05), scene.light, Finish(2, -0.6, 0, shadow=0))
        scene.where[max(0, int(y - r - 3)) : int(y + r + 4)] = False
    elif kind == 1:
        w, h = n * rng.uniform(0.12, 0.3), n * rng.uniform(0.08, 0.2)
        body(image, [box(x, y, w, h, 0, 2)], tone, scene.light, Finish(1.5, 0.3, 0.05, shadow=0.2, reach=1.2))
        mark = text(rng, n, x, y, h * 0.35, words(rng, 3))
        image = mix(image, (0.06, 0.06, 0.07) if sum(tone) > 1.2 else (0.95, 0.95, 0.95), mark)
    elif kind == 2:
        mark = text(rng, n, x, y, n * rng.uniform(0.03, 0.1), words(rng, int(rng.integers(2, 6))))
        image = mix(image, tone, blur(mark, 0.4) * np.float32(rng.uniform(0.5, 1)))
    else:
        r = n * rng.uniform(0.04, 0.12)
        ring = regular(x, y, r, int(rng.choice([3, 4, 6, 40])), rng.uniform(0, 3))
        line = stroke(n, ring, rng.uniform(1, 3), closed=True)
        image = mix(image, tone, line * 0.85)
    return image
