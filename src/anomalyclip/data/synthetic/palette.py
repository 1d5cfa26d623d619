"""Named colours, so that captions can name what was painted. RGB in [0, 1]."""

from __future__ import annotations

import numpy as np

from .noise import Rng
from .paint import Colour

COLOURS: dict[str, Colour] = {
    "black": (0.08, 0.08, 0.09),
    "dark grey": (0.22, 0.22, 0.23),
    "grey": (0.45, 0.45, 0.45),
    "light grey": (0.7, 0.7, 0.7),
    "white": (0.9, 0.9, 0.88),
    "red": (0.68, 0.13, 0.12),
    "dark red": (0.4, 0.08, 0.08),
    "orange": (0.85, 0.45, 0.12),
    "yellow": (0.86, 0.74, 0.2),
    "beige": (0.78, 0.68, 0.53),
    "brown": (0.43, 0.27, 0.15),
    "dark brown": (0.23, 0.14, 0.09),
    "green": (0.18, 0.45, 0.22),
    "dark green": (0.07, 0.24, 0.15),
    "light green": (0.55, 0.72, 0.45),
    "blue": (0.15, 0.27, 0.58),
    "dark blue": (0.07, 0.11, 0.27),
    "light blue": (0.5, 0.65, 0.82),
    "purple": (0.38, 0.18, 0.45),
    "pink": (0.85, 0.55, 0.58),
    "turquoise": (0.15, 0.55, 0.55),
    "cream": (0.9, 0.84, 0.7),
}
NEUTRALS = ("black", "dark grey", "grey", "light grey", "white")


def pick(rng: Rng, names: tuple[str, ...] | None = None, spread: float = 0.05) -> tuple[str, Colour]:
    """A named colour with a little natural spread."""
    pool = names or tuple(COLOURS)
    name = pool[int(rng.integers(len(pool)))]
    shade = np.float32(rng.normal(0, spread))
    red, green, blue = (float(np.clip(c + shade + rng.normal(0, spread / 2), 0.02, 0.97)) for c in COLOURS[name])
    return name, (red, green, blue)


def vary(rng: Rng, colour: Colour, spread: float = 0.06) -> Colour:
    """A colour near the given one."""
    red, green, blue = (
        float(np.clip(c * (1 + rng.normal(0, spread)) + rng.normal(0, spread / 3), 0.0, 1.0)) for c in colour
    )
    return red, green, blue
