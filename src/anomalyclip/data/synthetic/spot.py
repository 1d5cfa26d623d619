"""Where a defect goes, how big and how strong it is; and the small helpers that all defects share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .noise import Array, Rng, blur, coords, fractal, log_uniform, smooth, step
from .scene import Scene


@dataclass(frozen=True)
class Spot:
    """A place for one defect: centre (x, y) and nominal radius in pixels, strength in (0, 1]."""

    x: float
    y: float
    r: float
    strength: float


@dataclass
class Edit:
    """What a defect did: the new picture and words for it. Only pixels inside `support` may have changed.

    mask: bool (n, n), the defect as an annotator outlines it; None takes the pixels that changed visibly.
    """

    image: Array
    support: Array
    words: str
    mask: Array | None = None


Maker = Callable[[Scene, Spot, Rng], "Edit | None"]


@dataclass(frozen=True)
class Defect:
    """One row of the table of defects.

    noun: how captions call it. needs: a scene qualifies if it has any of these traits. area: range of the nominal share
    of the picture. weight: relative frequency where it applies. world: the first version of the table that has it.
    """

    name: str
    maker: Maker
    noun: str
    needs: frozenset[str]
    area: tuple[float, float] = (0.001, 0.1)
    weight: float = 1.0
    world: int = 1


def distance(s: Scene, spot: Spot, aspect: float = 1.0, angle: float = 0.0) -> Array:
    """Distance from the spot's centre in units of its radius; `aspect` > 1 stretches it along `angle`."""
    u, v = coords(s.n)
    c, sn = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dx, dy = u + np.float32(s.n / 2 - spot.x), v + np.float32(s.n / 2 - spot.y)
    along, across = (dx * c + dy * sn) / np.float32(np.sqrt(aspect)), (dy * c - dx * sn) * np.float32(np.sqrt(aspect))
    return np.sqrt(along * along + across * across) / np.float32(max(spot.r, 0.5))


def patch(s: Scene, spot: Spot, rng: Rng, soft: float | None = None, rough: float | None = None) -> Array:
    """Alpha of an irregular blob with a soft or hard edge, from nearly round to ragged."""
    aspect, angle = log_uniform(rng, 1.0, 3.5), rng.uniform(0, np.pi)
    rough = log_uniform(rng, 0.03, 0.6) if rough is None else rough
    soft = log_uniform(rng, 0.06, 0.7) if soft is None else soft
    cells = min(s.n / 3.0, max(2.0, s.n / spot.r * rng.uniform(0.7, 2.0)))
    return step(-(distance(s, spot, aspect, angle) + fractal(rng, s.n, cells, 3, 0.6) * np.float32(rough)), -1.0, soft)


def local(s: Scene, spot: Spot, reach: float = 1.2) -> Array:
    """Mean colour around the spot, within the places a defect may touch."""
    half, last = spot.r * reach + 2, s.n - 1
    x, y = min(max(spot.x, 0.0), last), min(max(spot.y, 0.0), last)
    y0, y1 = int(max(0, y - half)), int(min(s.n, y + half + 1))
    x0, x1 = int(max(0, x - half)), int(min(s.n, x + half + 1))
    inside = s.where[y0:y1, x0:x1]
    view = s.image[y0:y1, x0:x1]
    return np.asarray(view[inside].mean(0) if inside.any() else view.mean((0, 1)), np.float32)


def shift_tone(s: Scene, spot: Spot, rng: Rng, dark: bool | None = None) -> Array:
    """A colour clearly apart from the local one: darker or brighter by the spot's strength."""
    base = local(s, spot)
    level = float(base.mean())
    go_dark = (level > 0.55 or (level > 0.2 and rng.random() < 0.6)) if dark is None else dark
    amount = np.float32(spot.strength)
    return np.asarray(base * (1 - amount) if go_dark else base + (1 - base) * amount, np.float32)


def direction(s: Scene, rng: Rng) -> float:
    """An angle: half of the time along or across the grain, if there is one."""
    if s.grain is not None and rng.random() < 0.5:
        return float(s.grain + rng.choice([0, np.pi / 2]) + rng.normal(0, 0.06))
    return float(rng.uniform(0, 2 * np.pi))


def wander(rng: Rng, n: int, scale: float, amount: float) -> tuple[Array, Array]:
    """A smooth random displacement field, `amount` pixels strong with bumps of `scale` pixels."""
    c = max(1.5, n / max(scale, 2.0))
    return smooth(rng, n, c) * np.float32(amount), smooth(rng, n, c) * np.float32(amount)


def soften(alpha: Array, sigma: float) -> Array:
    """Blur an alpha without losing its peak for thin lines."""
    return np.clip(blur(alpha, sigma) * np.float32(1 + 0.6 * sigma), 0, 1)
