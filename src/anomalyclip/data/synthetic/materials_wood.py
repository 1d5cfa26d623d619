"""Sawn wood: rings cut along the trunk, rays, planer marks, boards on a dark conveyor, planks and veneer."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, unit, white
from .paint import box, fill, flat, mix, ramp, relief, stroke
from .palette import vary
from .scene import Scene, anywhere, lamp

WOODS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "pine": ((0.70, 0.50, 0.28), (0.89, 0.77, 0.54)), "spruce": ((0.72, 0.58, 0.38), (0.88, 0.79, 0.60)),
    "oak": ((0.46, 0.31, 0.17), (0.68, 0.51, 0.32)), "brown": ((0.28, 0.16, 0.08), (0.50, 0.32, 0.18)),
    "walnut": ((0.17, 0.10, 0.06), (0.36, 0.24, 0.15)), "red": ((0.36, 0.16, 0.09), (0.60, 0.33, 0.21)),
    "birch": ((0.76, 0.64, 0.47), (0.92, 0.84, 0.70)), "grey": ((0.35, 0.33, 0.30), (0.58, 0.56, 0.52)),
}  # fmt: skip


def grain_field(rng: Rng, n: int, tight: float | None = None) -> Array:
    """Ring phase of a board whose grain runs vertically: the cut through cones around a slanted pith."""
    x, y = coords(n)
    tight = log_uniform(rng, 9, 60) if tight is None else tight
    pith = n * rng.uniform(-0.9, 0.9)
    slope = rng.normal(0, 0.06)
    depth = n * log_uniform(rng, 0.02, 0.5) + y * np.float32(rng.normal(0, 0.12))
    bend = smooth(rng, n, 0.8, 1.6) * np.float32(n * 0.05) + fractal(rng, n, 4, 3, 0.5, (1.0, 0.25)) * np.float32(
        n * 0.010
    )
    radius = np.sqrt((x - pith + y * np.float32(slope) + bend) ** 2 + depth**2)
    return radius * np.float32(tight / n)


def wood_colour(rng: Rng, n: int, phase: Array, name: str) -> Array:
    """Paint rings, fibres and pores in the colours of a species."""
    dark, light = (vary(rng, c, 0.05) for c in WOODS[name])
    frac = phase - np.floor(phase)
    sharp = rng.uniform(1.5, 5.0)
    late = frac ** np.float32(sharp) * np.clip((1 - frac) * 9, 0, 1)
    years = np.float32(0.7) + np.float32(0.3) * np.interp(phase, np.arange(200) - 60.0, rng.random(200)).astype(
        np.float32
    )
    fibre = blur(white(rng, n, n), 0.45, n / 18) * np.float32(np.sqrt(n / 18) * 1.6)
    tone = 1 - late * years * np.float32(rng.uniform(0.35, 0.95)) + fibre * np.float32(rng.uniform(0.02, 0.08))
    tone += fractal(rng, n, 2, 3, 0.5, (1, 0.4)) * np.float32(rng.uniform(0.02, 0.09))
    if name in ("oak", "walnut", "brown", "red"):
        pores = blur(white(rng, n, n), 0.35, n / 60) * np.float32(np.sqrt(n / 60) * 1.8)
        tone -= np.clip(pores - np.float32(0.9), 0, 2) * np.float32(rng.uniform(0.1, 0.35))
    image = ramp(tone, dark, light)
    if chance(rng, 0.5):  # chatter of the planer across the grain, seldom even over the whole width
        _, y = coords(n)
        pitch = n / log_uniform(rng, 12, 60)
        marks = np.sin(y * np.float32(2 * np.pi / pitch) + smooth(rng, n, 2, 1)) * np.clip(smooth(rng, n, 4, 1.5), 0, 1)
        image *= (1 + np.float32(rng.uniform(0.01, 0.06)) * marks)[..., None]
    return np.clip(image, 0, 1)


def small_knots(rng: Rng, n: int, phase: Array, count: int, strength: float) -> tuple[Array, Array]:
    """Bend the rings around legitimate pin knots; returns (phase, darkness)."""
    x, y = coords(n)
    dark = np.zeros((n, n), np.float32)
    for _ in range(count):
        cx, cy = rng.uniform(-0.5, 0.5, 2) * n
        r = n * log_uniform(rng, 0.012, 0.05)
        d = np.sqrt((x - np.float32(cx)) ** 2 + ((y - np.float32(cy)) * 0.6) ** 2) / np.float32(r)
        pull = np.exp(-d * d / 6)
        phase = phase + pull * np.float32(rng.normal(0, 2.0))
        dark = np.maximum(dark, np.exp(-(d**4)) * np.float32(strength))
    return phase, dark


def wood(n: int, rng: Rng) -> Scene:
    """A wooden surface or a board with its edges on a dark ground; grain mostly vertical."""
    name = str(rng.choice(list(WOODS)))
    phase = grain_field(rng, n)
    dark = np.zeros((n, n), np.float32)
    if chance(rng, 0.15):
        phase, dark = small_knots(rng, n, phase, int(rng.integers(1, 6)), rng.uniform(0.2, 0.7))
    image = wood_colour(rng, n, phase, name)
    image = mix(image, np.multiply(WOODS[name][0], 0.55), dark)
    light = lamp(rng)
    if chance(rng, 0.5):  # gentle waves of a rough-sawn face, with their sheen
        waves = fractal(rng, n, 3, 3, 0.5, (1.0, 0.7))
        image *= relief(waves * np.float32(n / 10), light, rng.uniform(0.02, 0.12))[..., None]
        image += (np.clip(smooth(rng, n, 3, 3), 0, 2) ** 2 * np.float32(rng.uniform(0, 0.06)))[..., None]
    where, behind, subject = anywhere(n), None, str(rng.choice(["wooden surface", "wood", "wood veneer"]))
    if chance(rng, 0.4):
        subject = "wooden board"
        image, where, behind = board_edges(rng, n, image)
    elif chance(rng, 0.25):
        subject = str(rng.choice(["wooden floor", "parquet", "wooden planks"]))
        image = plank_joints(rng, n, image)
    colour = name if name in ("brown", "red", "grey") else ("dark brown" if name == "walnut" else "light brown")
    return Scene(np.clip(image, 0, 1), subject, where, light, behind, grain=np.pi / 2, colour=colour, period=n / 30)


def board_edges(rng: Rng, n: int, image: Array) -> tuple[Array, Array, Array]:
    """Cut the board out on both sides, sometimes at one end too; a dim machine bed shows behind."""
    bed = flat(n, np.array([0.03, 0.05, 0.05]) + rng.uniform(0, 0.06)) * (1 + 0.25 * fractal(rng, n, 6, 4))[..., None]
    if chance(rng, 0.3):
        bed = bed + np.float32(rng.uniform(0.1, 0.6))
    left, right = n * rng.uniform(-0.05, 0.16), n * rng.uniform(0.84, 1.05)
    top = n * (rng.uniform(0.05, 0.3) if chance(rng, 0.15) else -0.2)
    bottom = n * (rng.uniform(0.6, 0.92) if chance(rng, 0.2) else 1.2)
    alpha = fill(n, box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, rng.normal(0, 0.008)))
    inner = np.clip(blur(alpha, n / 60) * 2 - 1, 0, 1)
    image = image * (0.6 + 0.4 * inner)[..., None]
    bed = np.clip(bed, 0, 1).astype(np.float32)
    return mix(bed, image, alpha), alpha > 0.9, bed


def plank_joints(rng: Rng, n: int, image: Array) -> Array:
    """Joints between planks, each plank a little different in tone."""
    count = int(rng.integers(2, 6))
    cuts = np.sort(rng.uniform(0, n, count))
    which = np.searchsorted(cuts, np.arange(n))
    tone = (1 + rng.normal(0, 0.08, count + 1))[which].astype(np.float32)
    image = image * tone[None, :, None]
    for k in range(count + 1):  # every plank shows another piece of the trunk
        image[:, which == k] = np.roll(image[:, which == k], int(rng.integers(n)), 0)
    for c in cuts:
        image = mix(
            image, (0.06, 0.04, 0.03), stroke(n, np.array([[c, -9.0], [c, n + 9.0]]), rng.uniform(0.6, 2.5)) * 0.8
        )
    return image


def rough_wood(n: int, rng: Rng) -> Scene:
    """Chipboard, cork and fibreboard: flakes in every direction."""
    flakes = np.zeros((n, n), np.float32)
    sizes = log_uniform(rng, 10, 60)
    for angle in rng.uniform(0, np.pi, 3):
        x, y = coords(n, angle)
        layer = smooth(rng, n, sizes, sizes / rng.uniform(1.5, 5))
        flakes = np.maximum(
            flakes, np.roll(layer, int(rng.integers(n)), 1) + 0.2 * np.sign(np.sin(x * 0.05 + y * 0.01))
        )
    tone = unit(flakes + 0.4 * white(rng, n, n) * np.float32(rng.uniform(0.2, 1)))
    name = str(rng.choice(["pine", "oak", "birch", "brown"]))
    dark, light = WOODS[name]
    image = ramp(tone, np.multiply(dark, 0.8), light)
    lamp_ = lamp(rng)
    image *= relief(tone * 4, lamp_, 0.4)[..., None]
    subject = str(rng.choice(["chipboard", "cork", "fibreboard"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp_, colour="brown", period=n / sizes)
