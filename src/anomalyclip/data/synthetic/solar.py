"""Solar cells under electroluminescence."""

from __future__ import annotations

import numpy as np

from .medical_scans import grey
from .noise import Array, Rng, blur, cells, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import box, fill
from .scene import Scene, lamp


def solar_cell(n: int, rng: Rng) -> Scene:
    """A cell glowing in electroluminescence: busbars, fingers, crystal grains or smooth mono material, dark rim."""
    mono = chance(rng, 0.5)
    level = log_uniform(rng, 0.3, 0.95)
    x, y = coords(n)
    bars = int(rng.choice([2, 3, 3, 4, 5]))
    pitch = n / bars
    wave = np.cos(y * np.float32(2 * np.pi / pitch) + np.float32(0 if bars % 2 else np.pi))
    value = 1 - np.float32(rng.uniform(-0.02, 0.1)) * wave + 0.05 * smooth(rng, n, 1.4)
    if not mono:
        labels, _ = cells(rng, n, int(log_uniform(rng, 30, 220)))
        value += blur(rng.normal(0, rng.uniform(0.01, 0.04), labels.max() + 1).astype(np.float32)[labels], 1.0)
        clusters = step(
            fractal(rng, n, rng.uniform(7, 16), 4, 0.65) * np.clip(0.5 + 0.8 * smooth(rng, n, 2.5), 0, 1.4),
            rng.uniform(0.9, 1.7),
            0.8,
        )
        value -= blur(clusters, 0.8) * np.float32(rng.uniform(0.08, 0.42))
    else:
        value += np.float32(rng.uniform(0, 0.02)) * np.sin(np.sqrt(x * x + y * y) * np.float32(rng.uniform(0.1, 0.4)))
    if chance(rng, 0.5):
        value += np.float32(rng.uniform(0.005, 0.03)) * np.sin(x * np.float32(2 * np.pi / rng.uniform(2.5, 5)))
    value += white(rng, n, n) * np.float32(rng.uniform(0.003, 0.04))
    alpha = cell_outline(rng, n, mono)
    value = value * (0.35 + 0.65 * np.clip(blur(alpha, n * rng.uniform(0.005, 0.03)) * 2 - 1, 0, 1)) * level
    value = busbars(rng, n, value, bars)
    value = value * alpha + (1 - alpha) * level * rng.uniform(0.05, 0.5)
    image = grey(value)
    if chance(rng, 0.1):  # visible-light photograph: blue
        image = image * np.array([0.35, 0.5, 1.0], np.float32)
    if chance(rng, 0.5):
        image, alpha = np.rot90(image).copy(), np.rot90(alpha).copy()
    subject = str(rng.choice(["solar cell", "photovoltaic cell", "electroluminescence image of a solar cell"]))
    return Scene(
        np.clip(image, 0, 1),
        subject,
        alpha > 0.9,
        lamp(rng),
        grey(np.full((n, n), level * 0.1)),
        colour="grey",
        period=pitch / 4,
    )


def cell_outline(rng: Rng, n: int, mono: bool) -> Array:
    """The wafer: square, with cut corners when monocrystalline."""
    c, half = n / 2, n * rng.uniform(0.485, 0.53)
    cut = half * rng.uniform(0.1, 0.25) if mono and chance(rng, 0.7) else 0.5
    p = [
        (-half, cut - half),
        (cut - half, -half),
        (half - cut, -half),
        (half, cut - half),
        (half, half - cut),
        (half - cut, half),
        (cut - half, half),
        (-half, half - cut),
    ]
    return fill(n, np.array(p) + c)


def busbars(rng: Rng, n: int, value: Array, bars: int) -> Array:
    """Dark horizontal bars, plain or broken into pads, often soldered to a soft shadow."""
    thick, dark = n * rng.uniform(0.005, 0.018), rng.uniform(0.3, 0.9)
    pads = chance(rng, 0.25)
    for k in range(bars):
        y = n * (k + 0.5) / bars
        ends = n * rng.uniform(0.0, 0.07)
        if pads:
            pad = n / rng.integers(5, 9)
            starts = np.arange(ends, n - ends, pad)
            line = fill(n, *[box(s + pad * 0.3, y, pad * 0.5, thick * 1.8) for s in starts])
            line = np.maximum(line, fill(n, box(n / 2, y, n - 2 * ends, thick * 0.6)))
        else:
            line = fill(n, box(n / 2, y, n - 2 * ends, thick))
        value = value * (1 - np.float32(dark) * np.clip(blur(line, 0.5), 0, 1)) * (1 - 0.1 * blur(line, thick * 2))
    return value
