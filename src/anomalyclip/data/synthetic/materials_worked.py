"""Surfaces that a tool or a mill has shaped: turned, milled, knurled, rolled, galvanised, perforated, sawn, moulded."""

from __future__ import annotations

import numpy as np

from .materials_metal import streaks, uneven
from .noise import (
    Array,
    Rng,
    blur,
    cell_borders,
    cells,
    chance,
    coords,
    fractal,
    log_uniform,
    smooth,
    step,
    unit,
    white,
)
from .paint import gloss, mix, relief, tint
from .palette import pick, vary
from .scene import Scene, anywhere, lamp
from .stage import metal_colour


def _centre(rng: Rng, n: int, spread: float) -> tuple[Array, Array]:
    """Radius (n, n) in pixels and angle in radians about a point that may lie outside the picture."""
    x, y = coords(n)
    dx, dy = x - np.float32(rng.normal(0, spread) * n), y - np.float32(rng.normal(0, spread) * n)
    return np.hypot(dx, dy), np.arctan2(dy, dx)


def turned_metal(n: int, rng: Rng) -> Scene:
    """A face turned on a lathe or milled in arcs: rings of tool marks, two bright wedges of mirrored light."""
    radius, theta = _centre(rng, n, rng.choice([0.05, 0.8]))
    pitch = log_uniform(rng, 1.6, 12) * n / 215
    table = blur(white(rng, 1, 4096), 0.6, 0.05)[0]
    rings = table[(radius / np.float32(pitch) * 3).astype(np.int32) % 4096]
    rings = rings + np.float32(rng.uniform(0, 0.8)) * np.sin(radius * np.float32(2 * np.pi / pitch))
    value = 1 + rings * np.float32(log_uniform(rng, 0.02, 0.18))
    phase, wedge = rng.uniform(0, np.pi), rng.uniform(0, 0.7)
    value *= 1 + np.float32(wedge) * np.abs(np.cos(theta - np.float32(phase))) ** np.float32(rng.uniform(2, 12))
    image = tint(value * uneven(rng, n, rng.uniform(0.02, 0.2)), metal_colour(rng))
    if chance(rng, 0.3):  # bored through, or with a spigot
        edge = n * rng.uniform(0.05, 0.2)
        image = mix(image, np.full(3, rng.uniform(0.02, 0.2)), step(edge - radius, 0, 1.5))
    subject = str(rng.choice(["turned metal", "milled surface", "machined disc"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), period=max(2.0, pitch))


def crosshatched_metal(n: int, rng: Rng) -> Scene:
    """Honed, ground or scraped crosswise; or knurled in diamonds."""
    light = lamp(rng)
    lean = rng.uniform(0.2, 1.3)
    if chance(rng, 0.5):
        pitch = log_uniform(rng, 4, 16) * n / 215
        k = np.float32(np.pi / pitch)
        height = sum(np.abs(np.sin(coords(n, side * lean)[0] * k)) for side in (-1, 1)) * np.float32(pitch * 0.3)
        value = relief(height, light, rng.uniform(0.3, 0.9)) + 0.4 * gloss(height, light, 12)
    else:
        pitch = 3.0
        value = np.ones((n, n), np.float32)
        for side in (-1, 1):
            lines = np.clip(streaks(rng, 2 * n, n * log_uniform(rng, 0.1, 1.5), 0.6), -3, 3)
            x, y = coords(n, side * lean)
            at = (np.clip(x + n, 0, 2 * n - 1).astype(np.int32), np.clip(y + n, 0, 2 * n - 1).astype(np.int32))
            value += lines[at[1], at[0]] * np.float32(rng.uniform(0.03, 0.12))
    image = tint(value * uneven(rng, n, rng.uniform(0.02, 0.25)), metal_colour(rng))
    subject = str(rng.choice(["honed metal", "ground metal", "knurled metal"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, grain=np.pi / 2 - lean, period=pitch)


def rolled_steel(n: int, rng: Rng) -> Scene:
    """Hot or cold rolled strip: mottled scale, roll marks along, water stains that are no defect, an edge."""
    level = rng.uniform(0.2, 0.75)
    scale = fractal(rng, n, rng.uniform(4, 20), 5, 0.65, (1.0, rng.uniform(0.2, 1.0)))
    value = level * (1 + scale * np.float32(rng.uniform(0.02, 0.14)))
    value *= 1 + streaks(rng, n, n * log_uniform(rng, 0.2, 4), rng.uniform(0.4, 3)) * np.float32(rng.uniform(0, 0.08))
    value *= 1 + white(rng, n, n) * np.float32(rng.uniform(0.01, 0.08))
    value *= uneven(rng, n, rng.uniform(0.0, 0.3))
    image = tint(value, vary(rng, (1.0, 1.0, 1.0), 0.04))
    where, behind = anywhere(n), None
    if chance(rng, 0.2):  # the strip ends before the picture does
        x, _ = coords(n)
        inside = step(np.float32(n * rng.uniform(0.25, 0.45)) - x, 0, 3)
        behind = np.zeros_like(image) + np.float32(rng.uniform(0.0, 0.9))
        image, where = mix(behind, image, inside), inside > 0.9
    subject = str(rng.choice(["rolled steel", "steel strip", "steel surface", "hot rolled strip"]))
    return Scene(np.clip(image, 0, 1), subject, where, lamp(rng), behind, grain=np.pi / 2, colour="grey", period=4)


def galvanised(n: int, rng: Rng) -> Scene:
    """Crystals: spangled zinc, etched metal, polycrystalline wafers."""
    ident, _ = cells(rng, n, int(log_uniform(rng, 12, 600)))
    count = ident.max() + 1
    level = rng.uniform(0.3, 0.75)
    shades = (1 + rng.normal(0, rng.uniform(0.04, 0.22), count)).astype(np.float32)[ident]
    turn = rng.uniform(0, np.pi, count).astype(np.float32)[ident]
    x, y = coords(n)
    k = np.float32(2 * np.pi / (log_uniform(rng, 2.5, 10) * n / 215))
    fern = np.sin((x * np.cos(turn) + y * np.sin(turn)) * k) * np.float32(rng.uniform(0, 0.12))
    value = level * shades * (1 + fern + 0.03 * white(rng, n, n)) * uneven(rng, n, rng.uniform(0, 0.2))
    image = tint(value, vary(rng, (0.97, 1.0, 1.05), 0.06))
    image = mix(image, np.full(3, level * 0.6), cell_borders(ident, 1.0) * np.float32(rng.uniform(0, 0.5)))
    subject = str(rng.choice(["galvanised steel", "zinc surface", "crystalline metal"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), colour="grey", period=n / 20)


def perforated(n: int, rng: Rng) -> Scene:
    """Sheet with holes, slots or dimples in rows, or a honeycomb."""
    light = lamp(rng)
    pitch = n / log_uniform(rng, 5, 24)
    x, y = coords(n, rng.choice([0.0, np.pi / 4]) + rng.normal(0, 0.02))
    u, v = x / np.float32(pitch) + 300, y / np.float32(pitch * rng.uniform(0.8, 1.2)) + 300
    if chance(rng, 0.6):
        u = u + 0.5 * (np.floor(v) % 2)
    long = rng.uniform(1, 2) if chance(rng, 0.4) else 1.0
    power = rng.choice([2.0, 2.0, 4.0])
    d = (np.abs((u % 1 - 0.5) / long) ** power + np.abs(v % 1 - 0.5) ** power) ** (1 / power)
    hole = step(rng.uniform(0.18, 0.44) - d.astype(np.float32), 0, 1.5 / pitch)
    name, colour = pick(rng)
    base = metal_colour(rng) if chance(rng, 0.6) else colour
    grain = streaks(rng, n, n * 0.3) * np.float32(rng.uniform(0, 0.05)) + 0.02 * fractal(rng, n, 4, 4)
    image = tint(1 + grain, base) * relief(-blur(hole, 1.2) * 3, light, rng.uniform(0.2, 0.8))[..., None]
    ground = tint(1 + 0.1 * fractal(rng, n, 5, 3), pick(rng)[1] if chance(rng, 0.3) else (0.05, 0.05, 0.06))
    image = mix(image, ground if chance(rng, 0.8) else image * 0.7, hole)
    subject = str(rng.choice(["perforated sheet", "speaker grille", "honeycomb", "sieve"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, colour=name, period=pitch)


def end_grain(n: int, rng: Rng) -> Scene:
    """A sawn log or board end: year rings about a pith, rays, saw marks; or the layers of plywood."""
    name, colour = pick(rng, ("beige", "brown", "cream", "orange", "dark brown"))
    if chance(rng, 0.3):
        _, y = coords(n)
        at = y / np.float32(n / rng.uniform(5, 14)) + 50 + smooth(rng, n, 2) * 0.06
        shade = np.where(np.floor(at) % 2 == 0, 1.0, rng.uniform(0.6, 0.85))
        value = shade * (1 + 0.08 * fractal(rng, n, 6, 4, 0.6, (0.4, 4.0)))
        subject = "plywood"
    else:
        radius, theta = _centre(rng, n, rng.choice([0.1, 0.7]))
        radius = radius * (1 + 0.06 * smooth(rng, n, 2)) + smooth(rng, n, 5) * np.float32(n * 0.01)
        widths = np.cumsum(np.clip(rng.normal(1, 0.35, 400), 0.3, 2)) * n / log_uniform(rng, 15, 60)
        ring = np.interp(radius, widths, np.arange(400)).astype(np.float32)
        dark = (ring - np.floor(ring)) ** np.float32(rng.uniform(1.5, 5))
        rays = np.clip(np.sin(theta * np.float32(rng.integers(60, 200)) + 3 * smooth(rng, n, 3)), 0, 1)
        value = 1 - dark * np.float32(rng.uniform(0.15, 0.5)) + rays * np.float32(rng.uniform(0, 0.06))
        subject = str(rng.choice(["end grain", "sawn log", "wood cross section"]))
    value = value * (1 + 0.06 * white(rng, n, n) + 0.04 * fractal(rng, n, 20, 3))
    return Scene(np.clip(tint(value, colour), 0, 1), subject, anywhere(n), lamp(rng), colour=name, period=n / 30)


def moulded(n: int, rng: Rng) -> Scene:
    """Rubber or plastic with a moulded texture: tread blocks, ribs, pyramids, spark-eroded grain, studs."""
    light = lamp(rng)
    x, y = coords(n, rng.choice([0.0, np.pi / 4]) + rng.normal(0, 0.03))
    pitch = n / log_uniform(rng, 4, 30)
    k = np.float32(np.pi / pitch)
    kind = int(rng.integers(4))
    if kind == 0:
        height = step(np.minimum(np.abs(np.sin(x * k)), np.abs(np.sin(y * k * 0.7 + np.floor(x / pitch)))), 0.3, 0.2)
    elif kind == 1:
        height = np.abs(np.sin(x * k + np.float32(rng.uniform(0, 1)) * np.sin(y * k * 0.5)))
    elif kind == 2:
        height = unit(blur(white(rng, n, n), rng.uniform(0.8, 3.0)))
    else:
        height = step(np.abs(np.sin(x * k) * np.sin(y * k)), rng.uniform(0.4, 0.8), 0.3)
    name, colour = pick(rng, ("black", "dark grey", "grey", "white", "blue", "red", "green", "beige"))
    height = height.astype(np.float32) * np.float32(min(pitch, 14) * 0.4)
    value = relief(height, light, rng.uniform(0.3, 1.0)) * (1 + 0.02 * white(rng, n, n))
    value = value + np.float32(rng.uniform(0, 0.4)) * gloss(height, light, 14)
    subject = str(rng.choice(["rubber", "moulded plastic", "tyre tread", "grip surface"]))
    return Scene(np.clip(tint(value, colour), 0, 1), subject, anywhere(n), light, grain=0.0, colour=name, period=pitch)
