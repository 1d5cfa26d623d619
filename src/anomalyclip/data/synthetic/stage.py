"""The ground objects stand on, and the bookkeeping around painting them: parts, object mask, skins of the bodies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, white
from .paint import Finish, Tone, body, flat, mix, tint
from .palette import pick
from .scene import Part, Scene, lamp


def backdrop(rng: Rng, n: int) -> Array:
    """Table, paper, conveyor, cloth or darkness behind an object: mostly quiet."""
    kind = str(
        rng.choice(
            ["plain", "white", "black", "cloth", "wood", "noise", "belt"], p=[0.3, 0.17, 0.17, 0.1, 0.06, 0.12, 0.08]
        )
    )
    if kind == "white":
        image = flat(n, np.full(3, rng.uniform(0.78, 1.0)))
    elif kind == "black":
        image = flat(n, np.full(3, rng.uniform(0.0, 0.1)))
    else:
        image = flat(n, pick(rng)[1])
    light = 1 + np.float32(rng.uniform(0, 0.1)) * smooth(rng, n, 1.5)
    if kind == "cloth":
        x, y = coords(n)
        k = np.float32(2 * np.pi / (log_uniform(rng, 2.5, 8) * n / 215))
        light = light * (1 + 0.12 * np.sin(x * k) * np.sin(y * k) + 0.04 * white(rng, n, n))
    elif kind == "wood":
        light = light * (1 + 0.12 * fractal(rng, n, 3, 4, 0.6, (5.0, 0.3)))
    elif kind == "noise":
        light = light * (1 + fractal(rng, n, log_uniform(rng, 4, 40), 4) * np.float32(rng.uniform(0.02, 0.12)))
    elif kind == "belt":
        light = light * (1 + 0.06 * np.sin(coords(n)[1] * np.float32(2 * np.pi * rng.uniform(8, 40) / n)))
    image = np.clip(image * light[..., None], 0, 1)
    return clutter(rng, n, image) if chance(rng, 0.15) else image


def clutter(rng: Rng, n: int, image: Array) -> Array:
    """The edge of a table, a rail or a neighbour at the border: there, and no defect."""
    x, _ = coords(n, float(rng.choice([0, np.pi / 2, np.pi, -np.pi / 2])) + rng.normal(0, 0.05))
    at, wide = n * rng.uniform(0.3, 0.46), n * rng.uniform(0.02, 0.5)
    strip = np.clip(x - np.float32(at) + 0.5, 0, 1) * np.clip(np.float32(at + wide) - x, 0, 1)
    shade = np.clip(1 - np.abs(x - np.float32(at)) / np.float32(n * 0.02), 0, 1) * np.float32(rng.uniform(0, 0.4))
    return mix(image * (1 - shade)[..., None], pick(rng)[1], strip)


def texture(rng: Rng, n: int, colour: Tone, kind: str) -> Array:
    """A canvas-wide skin for bodies: `metal`, `matt`, `grainy`, `striped` or `mottled`."""
    if kind == "metal":
        lines = blur(white(rng, n, n), 0.4, n * 0.04)
        value = 1 + lines / lines.std() * np.float32(rng.uniform(0.01, 0.07)) + 0.15 * smooth(rng, n, 2)
    elif kind == "grainy":
        value = 1 + fractal(rng, n, n / 12, 3) * np.float32(rng.uniform(0.03, 0.12))
    elif kind == "mottled":
        value = 1 + fractal(rng, n, 6, 5, 0.65) * np.float32(rng.uniform(0.05, 0.2))
    elif kind == "striped":
        value = 1 + fractal(rng, n, 5, 4, 0.6, (6.0, 0.5)) * np.float32(rng.uniform(0.04, 0.15))
    else:
        value = 1 + 0.03 * smooth(rng, n, 2) + white(rng, n, n) * np.float32(rng.uniform(0, 0.015))
    return np.clip(tint(value.astype(np.float32), colour), 0, 1)


class Stage:
    """A canvas being painted: keeps the object mask, what lies behind and the parts."""

    def __init__(self, rng: Rng, n: int, ground: Array | None = None) -> None:
        self.rng, self.n = rng, n
        self.image = (backdrop(rng, n) if ground is None else ground).astype(np.float32)
        self.behind = self.image.copy()
        self.light = lamp(rng)
        self.mask = np.zeros((n, n), np.float32)
        self.parts: list[Part] = []

    def add(
        self,
        outlines: Sequence[Array],
        albedo: Tone,
        finish: Finish,
        part: str = "",
        under: Array | None = None,
    ) -> None:
        """Paint one body; a named one becomes a Part. `under`: what shows if it is missing (default: as it is now)."""
        before = under if under is not None or not part else self.image.copy()
        alpha, (y0, y1, x0, x1) = body(self.image, outlines, albedo, self.light, finish)
        if alpha.size:
            view = self.mask[y0:y1, x0:x1]
            np.maximum(view, alpha, out=view)
        if alpha.size and part and before is not None:
            self.parts.append(Part(alpha, (y0, y1, x0, x1), before, part))

    def scene(
        self,
        subject: str,
        colour: str = "",
        prints: Array | None = None,
        grain: float | None = None,
        period: float = 8.0,
    ) -> Scene:
        """The finished picture."""
        image = np.clip(self.image, 0, 1)
        return Scene(
            image, subject, self.mask > 0.9, self.light, self.behind, self.parts, prints, grain, period, colour
        )


def place(rng: Rng, n: int, low: float = 0.28, high: float = 0.46) -> tuple[float, float, float]:
    """Centre and radius of a single object: usually near the middle, sometimes touching the border."""
    r = n * rng.uniform(low, high)
    wander = 0.2 if chance(rng, 0.1) else 0.03
    return n / 2 + n * rng.normal(0, wander), n / 2 + n * rng.normal(0, wander), r


def spin(rng: Rng) -> float:
    """Any angle, or upright in half of the cases."""
    return float(rng.uniform(0, 2 * np.pi)) if chance(rng, 0.5) else float(rng.normal(0, 0.04))


def metal_colour(rng: Rng) -> tuple[float, float, float]:
    """Steel, brass or copper."""
    level = rng.uniform(0.35, 0.75)
    tone = ((1.0, 1.0, 1.02), (1.0, 1.0, 1.0), (1.12, 0.95, 0.6), (1.15, 0.75, 0.55))[
        int(rng.choice(4, p=[0.45, 0.3, 0.15, 0.1]))
    ]
    return (level * tone[0], level * tone[1], level * tone[2])
