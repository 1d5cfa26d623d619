"""Mineral surfaces: speckled and laid tiles, marble, concrete, asphalt, bricks, paving, plaster."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, cell_borders, cells, chance, coords, fractal, log_uniform, smooth, step, unit, white
from .paint import mix, ramp, relief, tint
from .palette import pick, vary
from .scene import Scene, anywhere, lamp


def stone_tile(n: int, rng: Rng) -> Scene:
    """Ceramic or stone tile: terrazzo specks, granite crystals or marble veins."""
    name, base = pick(rng, ("grey", "light grey", "white", "beige", "cream", "dark grey", "brown", "black"))
    kind = int(rng.integers(4))
    image = tint(1 + 0.04 * fractal(rng, n, 3, 4), base)
    if kind == 0:  # angular specks of several tones
        for _ in range(int(rng.integers(2, 4))):
            field = fractal(rng, n, log_uniform(rng, 12, 50), 2, 0.6)
            tone = vary(rng, pick(rng, ("black", "grey", "white", "brown", "beige", "dark grey"))[1])
            image = mix(image, tone, step(field, rng.uniform(0.5, 1.5), 0.15) * np.float32(rng.uniform(0.4, 1)))
    elif kind == 1:  # granite
        labels, _ = cells(rng, n, int(log_uniform(rng, 300, 4000)))
        shades = rng.normal(0, 0.25, labels.max() + 1).astype(np.float32)
        image *= np.clip(1 + shades[labels] + 0.05 * white(rng, n, n), 0.2, 1.6)[..., None]
    elif kind == 2:  # marble
        vein = np.abs(fractal(rng, n, rng.uniform(1.5, 4), 5, 0.6))
        strength = rng.uniform(0.15, 0.5)
        image = mix(image, np.multiply(base, rng.uniform(0.3, 0.8)), np.exp(-vein * rng.uniform(4, 14)) * strength)
        image *= (1 + 0.05 * fractal(rng, n, 2, 4))[..., None]
    else:  # glazed, one colour
        image = tint(1 + 0.02 * smooth(rng, n, 2) + 0.01 * white(rng, n, n), pick(rng)[1])
    where = anywhere(n)
    if chance(rng, 0.25):
        image = joints(rng, n, image)
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["tile", "stone tile", "ceramic tile", "stone slab"])),
        where,
        lamp(rng),
        colour=name if kind < 3 else "",
    )


def joints(rng: Rng, n: int, image: Array, rows: float | None = None) -> Array:
    """Grout lines of tiles laid in a grid or a running bond, each tile a little different."""
    high = n / (rng.uniform(1.2, 5) if rows is None else rows)
    wide = high * rng.uniform(1, 2.5)
    shift = 0.5 if chance(rng, 0.5) else 0.0
    x, y = coords(n)
    v = y / np.float32(high) + np.float32(30 + rng.random())
    row = np.floor(v)
    u = x / np.float32(wide) + row * np.float32(shift) + np.float32(30 + rng.random())
    ident = (row * 131 + np.floor(u) * 17).astype(np.int64) % 997
    image = image * (1 + rng.normal(0, 0.05, 997).astype(np.float32)[ident])[..., None]
    gap = np.minimum(np.abs(u - np.round(u)) * wide, np.abs(v - np.round(v)) * high)
    line = np.clip(rng.uniform(0.8, 3) * n / 215 - gap + 0.5, 0, 1)
    return mix(image, pick(rng, ("grey", "light grey", "dark grey"))[1], line * 0.9)


def concrete(n: int, rng: Rng) -> Scene:
    """Concrete, plaster or rendered wall: soft clouds, pores, faint trowel marks."""
    light = lamp(rng)
    name, base = pick(rng, ("grey", "light grey", "beige", "dark grey", "white"))
    clouds = fractal(rng, n, 3, 6, 0.62)
    value = 1 + clouds * np.float32(rng.uniform(0.03, 0.13)) + white(rng, n, n) * np.float32(rng.uniform(0.01, 0.06))
    pores = step(fractal(rng, n, n / 6, 1), rng.uniform(2.2, 3.2), 0.3)
    value -= pores * np.float32(rng.uniform(0.1, 0.4))
    value *= relief(fractal(rng, n, n / 16, 3), light, rng.uniform(0.02, 0.25))
    return Scene(
        np.clip(tint(value, base), 0, 1),
        str(rng.choice(["concrete", "concrete wall", "plaster", "cement surface"])),
        anywhere(n),
        light,
        colour=name,
    )


def asphalt(n: int, rng: Rng) -> Scene:
    """Road: aggregate of light and dark stones, sometimes a painted line."""
    light = lamp(rng)
    labels, dist = cells(rng, n, int(log_uniform(rng, 600, 6000)))
    tones = rng.normal(0, rng.uniform(0.1, 0.3), labels.max() + 1).astype(np.float32)
    value = 1 + tones[labels] * np.clip(1.4 - dist * 0.25, 0.2, 1) + 0.08 * white(rng, n, n)
    value *= (1 + 0.08 * fractal(rng, n, 2, 4)) * relief(-dist, light, 0.1)
    level = rng.uniform(0.18, 0.55)
    image = tint(value, vary(rng, (level, level, level), 0.03))
    if chance(rng, 0.25):
        x, _ = coords(n, rng.uniform(0, np.pi))
        line = step(-np.abs(x + np.float32(rng.uniform(-n, n) / 4)), -n * rng.uniform(0.03, 0.1), 2)
        image = mix(image, (0.85, 0.85, 0.8), line * np.clip(0.75 + 0.3 * fractal(rng, n, 20, 3), 0, 1))
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["asphalt", "pavement", "road surface"])),
        anywhere(n),
        light,
        colour="grey",
    )


def bricks(n: int, rng: Rng) -> Scene:
    """Brick wall or paving stones."""
    light = lamp(rng)
    name, base = pick(rng, ("red", "brown", "orange", "grey", "beige", "dark red"))
    grain = 1 + 0.08 * fractal(rng, n, 8, 5, 0.7) + 0.06 * white(rng, n, n)
    image = tint(grain, base)
    if chance(rng, 0.75):
        image = joints(rng, n, image, rng.uniform(3, 9))
        subject = str(rng.choice(["brick wall", "paving", "clinker wall"]))
    else:
        labels, _ = cells(rng, n, int(rng.integers(12, 60)), jitter_grid=True)
        image = image * (1 + rng.normal(0, 0.12, labels.max() + 1).astype(np.float32)[labels])[..., None]
        image = mix(image, (0.25, 0.24, 0.22), cell_borders(labels, rng.uniform(1.5, 4)))
        subject = "stone paving"
    image *= relief(unit(image.mean(2)) * 5, light, 0.25)[..., None]
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, colour=name, period=n / 5)


def granules(n: int, rng: Rng) -> Scene:
    """Gravel, rice, sand, pellets, coffee: packed grains."""
    light = lamp(rng)
    labels, dist = cells(rng, n, int(log_uniform(rng, 60, 2500)), jitter_grid=chance(rng, 0.5))
    name, base = pick(rng)
    shades = (1 + rng.normal(0, rng.uniform(0.03, 0.2), labels.max() + 1)).astype(np.float32)[labels]
    size = float(np.sqrt(n * n / (labels.max() + 1)))
    dome = np.sqrt(np.clip(1 - (dist / np.float32(size * 0.75)) ** 2, 0, 1)) * np.float32(size * 0.4)
    value = shades * relief(dome, light, 0.7) * (0.35 + 0.65 * np.clip(1.2 - dist / size, 0, 1))
    image = ramp(np.clip(value, 0, 1.5) / 1.5, np.multiply(base, 0.2), np.clip(np.multiply(base, 1.4), 0, 1))
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["gravel", "granules", "pellets", "grains"])),
        anywhere(n),
        light,
        colour=name,
        period=size,
    )
