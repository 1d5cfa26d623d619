"""What has become of the material itself: rust, knots, resin, faded, rough and mouldy areas."""

from __future__ import annotations

import numpy as np

from .noise import Rng, blur, chance, coords, fractal, log_uniform, step, unit, warp, white
from .paint import mix, ramp
from .palette import COLOURS, vary
from .scene import Scene
from .spot import Edit, Spot, distance, local, patch


def rust(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Corrosion eating its way in ragged islands."""
    field = fractal(rng, s.n, s.n / max(spot.r, 3) * 1.5, 5, 0.65)
    a = step(field * 0.5 - distance(s, spot) + 0.9, 0, 0.25)
    tone = (
        ramp(unit(fractal(rng, s.n, s.n / 8, 3, 0.7)), (0.18, 0.08, 0.04), (0.66, 0.34, 0.14))
        if chance(rng, 0.75)
        else ramp(unit(field), (0.3, 0.45, 0.4), (0.65, 0.75, 0.7))
    )
    return Edit(
        mix(s.image, tone, a * np.float32(0.5 + 0.5 * spot.strength)),
        a,
        str(rng.choice(["rust", "a rusty spot", "corrosion", "an oxidised area"])),
    )


def knot(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A branch knot: rings around a dark heart, the grain flowing round it, sometimes with a black border."""
    aspect, angle = rng.uniform(1, 1.8), (s.grain or 0.0) + rng.normal(0, 0.3)
    d = distance(s, spot, aspect, angle) + 0.06 * fractal(rng, s.n, s.n / max(spot.r, 4), 3)
    push = np.exp(-((d / 1.6) ** 2)) * np.float32(spot.r * 0.55)
    x, y = coords(s.n)
    dx, dy = x + np.float32(s.n / 2 - spot.x), y + np.float32(s.n / 2 - spot.y)
    norm = np.sqrt(dx * dx + dy * dy) + 1e-3
    image = warp(s.image, -dx / norm * push, -dy / norm * push)
    a = np.clip((1 - d) * max(2.0, spot.r * 0.25), 0, 1)
    rings = 0.5 + 0.5 * np.sin(d * np.float32(rng.uniform(8, 22)))
    base = local(s, spot)
    heart = ramp(rings, base * np.float32(rng.uniform(0.15, 0.45)), base * np.array([0.85, 0.72, 0.6], np.float32))
    heart *= (1 - 0.6 * np.exp(-((d / 0.35) ** 2)) * np.float32(rng.uniform(0, 1)))[..., None]
    image = mix(image, heart, a * np.float32(0.55 + 0.45 * spot.strength))
    if chance(rng, 0.4):
        image = mix(image, base * 0.12, np.clip(1 - np.abs(d - 1) * spot.r * 0.5, 0, 1))
    return Edit(
        image, (d < 1.9).astype(np.float32), str(rng.choice(["a knot", "a dark knot", "a branch knot", "a dead knot"]))
    )


def resin(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Streaks along the grain: resin pocket, blue stain, pith, bark."""
    angle = (s.grain if s.grain is not None else rng.uniform(0, 3)) + rng.normal(0, 0.03)
    d = distance(s, spot, log_uniform(rng, 6, 60), angle) + 0.2 * fractal(rng, s.n, s.n / 10, 3)
    a = step(-d, -1, rng.uniform(0.1, 0.8))
    tone = ((0.25, 0.12, 0.06), (0.2, 0.22, 0.25), (0.45, 0.25, 0.1), (0.06, 0.05, 0.04))[int(rng.integers(4))]
    return Edit(
        mix(s.image, vary(rng, tone), a * np.float32(0.4 + 0.55 * spot.strength)),
        a,
        str(rng.choice(["a dark streak", "a resin pocket", "a streak of stain", "a pith streak"])),
    )


def recolour(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A patch of another hue or tone with the texture intact: discoloured, bleached, faded."""
    a = patch(s, spot, rng)
    grey = s.image.mean(2, keepdims=True)
    mode = int(rng.integers(3))
    if mode == 0:
        hue = np.asarray(COLOURS[str(rng.choice(list(COLOURS)))], np.float32)
        target = grey * hue / max(float(hue.mean()), 0.15)
    elif mode == 1:
        target = s.image * np.float32(1 + spot.strength * rng.choice([-0.7, 0.9]))
    else:
        low = local(s, spot)
        target = low + (s.image - low) * np.float32(rng.choice([0.2, 2.2])) + np.float32(rng.normal(0, 0.12))
    return Edit(
        mix(s.image, np.clip(target, 0, 1), a),
        a,
        str(rng.choice(["a discoloured area", "a faded area", "a patch of wrong colour", "discolouration"])),
    )


def roughened(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """The texture is worn smooth, abraded or grainy in a patch."""
    a = patch(s, spot, rng)
    if chance(rng, 0.5):
        target, words = blur(s.image, rng.uniform(2, 5) * s.n / 215), "a smoothed area"
        target = target * np.float32(1 + rng.normal(0, 0.12))
    else:
        grain = blur(white(rng, s.n, s.n), rng.uniform(0.4, 1.5))
        grain = grain / grain.std() * np.float32(0.08 + 0.2 * spot.strength)
        target, words = s.image * (1 + grain)[..., None] + np.float32(rng.uniform(-0.05, 0.12)), "a rough area"
    return Edit(mix(s.image, target, a), a, words if chance(rng, 0.5) else "an abraded area")


def mould(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Clusters of soft spots growing together: mould, mildew, lichen, bruise."""
    near = np.clip(1.5 - distance(s, spot), 0, 1)
    a = step(fractal(rng, s.n, s.n / max(2.5, spot.r * 0.25), 3, 0.6) + near * 1.2 - 1.0, 0.5, 0.5) * (near > 0)
    tone = vary(rng, ((0.12, 0.15, 0.1), (0.75, 0.77, 0.72), (0.35, 0.4, 0.2), (0.25, 0.16, 0.1))[int(rng.integers(4))])
    return Edit(
        mix(s.image, tone, a * np.float32(0.45 + 0.5 * spot.strength)),
        a,
        str(rng.choice(["mould", "a mouldy patch", "dark spots", "spotting"])),
    )
