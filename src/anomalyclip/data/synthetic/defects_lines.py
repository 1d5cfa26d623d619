"""Line-like defects: scratch, crack, cut, fibre, thread faults, wrinkle, fray, glue strip."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .noise import Array, Rng, blur, chance, fractal, log_uniform, warp, white
from .paint import ellipse, fill, mix, relief, stroke, turn, walk
from .palette import pick
from .scene import Scene
from .spot import Edit, Spot, direction, distance, local, shift_tone, soften, wander


def _through(spot: Spot, rng: Rng, angle: float, length: float, wiggle: float, k: int = 24) -> Array:
    """A wandering path whose middle lies on the spot."""
    path = walk(rng, (0, 0), angle, length, wiggle, k)
    return path - path[k // 2] + (spot.x, spot.y)


def _width(s: Scene, rng: Rng, low: float = 0.7, high: float = 3.2) -> float:
    return log_uniform(rng, low, high) * s.n / 215


def scratch(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """One or a few nearly straight lines, bright or dark, often with a lit lip."""
    angle, length = direction(s, rng), max(spot.r * 2.6, s.n * 0.06)
    count = 1 if chance(rng, 0.6) else int(rng.integers(2, 6))
    width = _width(s, rng, 0.7, 2.6)
    line = np.zeros((s.n, s.n), np.float32)
    for _ in range(count):
        path = _through(
            spot, rng, angle + rng.normal(0, 0.08), length * rng.uniform(0.5, 1), rng.choice([0.005, 0.03, 0.1])
        )
        path += rng.normal(0, spot.r * 0.25 * (count > 1), 2)
        np.maximum(line, stroke(s.n, path, width), out=line)
    if chance(rng, 0.4):
        line *= np.clip(0.65 + 0.5 * fractal(rng, s.n, s.n / 14, 2), 0, 1)
    image = mix(s.image, shift_tone(s, spot, rng), line * np.float32(0.6 + 0.4 * spot.strength))
    if chance(rng, 0.5):
        image += (np.roll(line, 1, int(rng.integers(2))) * (1 - line) * np.float32(rng.uniform(0.08, 0.3)))[..., None]
    form = "thin" if width < 1.4 * s.n / 215 else "wide"
    return Edit(
        image,
        line,
        f"{'a long' if spot.r > s.n * 0.12 else 'a short'} {form} scratch" if count == 1 else "several scratches",
    )


def crack(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A jagged dark line that forks."""
    width, length = _width(s, rng, 0.8, 3.0), max(spot.r * 2.8, s.n * 0.08)
    line = np.zeros((s.n, s.n), np.float32)
    main = _through(spot, rng, direction(s, rng), length, rng.uniform(0.08, 0.4), 30)
    for a, b in pairwise(main):
        np.maximum(line, stroke(s.n, np.stack([a, b]), width * rng.uniform(0.5, 1.2)), out=line)
    for _ in range(int(rng.integers(0, 5))):
        at = main[int(rng.integers(4, 28))]
        branch = walk(rng, at, rng.uniform(0, 6.3), length * rng.uniform(0.1, 0.5), 0.3, 14)
        np.maximum(line, stroke(s.n, branch, width * 0.6), out=line)
    tone = local(s, spot) * np.float32(1 - spot.strength) * 0.6
    image = mix(s.image, tone, line)
    if chance(rng, 0.35):  # one lip catches the light
        image += (np.roll(line, (1, 1), (0, 1)) * (1 - line) * np.float32(0.12))[..., None]
    return Edit(image, line, f"a {'hairline' if width < 1.3 else 'branching' if chance(rng, 0.5) else 'dark'} crack")


def cut(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A slit that gapes: dark lens, bright raised lips."""
    angle, wide = direction(s, rng), rng.uniform(0.06, 0.25)
    lens = ellipse(0, 0, max(spot.r * 1.4, 6), max(spot.r * wide, 1.2), 0, 40, 1.6)
    lens[:, 1] += np.cos(lens[:, 0] / max(spot.r, 1)) * spot.r * rng.normal(0, 0.3)

    gap = fill(s.n, turn(lens, angle) + (spot.x, spot.y))
    lips = np.clip(blur(gap, 1.5 + spot.r * 0.05) * 1.6 - gap, 0, 1)
    image = s.image * relief(blur(gap, 2.0) * -4, s.light, 0.5)[..., None]
    image += (lips * np.float32(rng.uniform(-0.05, 0.25)))[..., None]
    deep = local(s, spot) * 0.2 if s.behind is None or chance(rng, 0.5) else s.behind
    return Edit(
        mix(image, deep, gap), np.maximum(gap, lips), str(rng.choice(["a cut", "a slit", "a deep cut", "a tear"]))
    )


def tear(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """The sheet is pulled apart: displaced sides around an irregular dark opening."""
    d = (
        distance(s, spot, rng.uniform(1.5, 5), direction(s, rng))
        + fractal(rng, s.n, s.n / max(spot.r, 4), 4, 0.6) * 0.25
    )
    hole = np.clip((0.6 - d) * spot.r * 0.8, 0, 1)
    rim = np.clip((0.85 - d) * spot.r * 0.5, 0, 1) - hole
    bright = np.float32(rng.uniform(-0.2, 0.35))
    image = (
        s.image
        * relief(np.clip(1 - d, 0, 1) * spot.r * -0.3, s.light, 0.6)[..., None]
        * (1 + bright * np.clip(rim, 0, 1) * (1 + white(rng, s.n, s.n) * 0.5))[..., None]
    )
    deep = local(s, spot) * 0.15 if s.behind is None or chance(rng, 0.5) else s.behind
    return Edit(
        mix(image, deep, hole),
        (d < 1.4).astype(np.float32),
        str(rng.choice(["a tear", "a torn hole", "a ripped area"])),
    )


def fibre(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A hair, fibre or loose thread lying on top, with its shadow."""
    width, length = _width(s, rng, 0.8, 3.5), max(spot.r * rng.uniform(3, 6), s.n * 0.1)
    path = _through(spot, rng, rng.uniform(0, 6.3), length, rng.uniform(0.08, 0.5), 30)
    line = stroke(s.n, path, width)
    base = float(local(s, spot).mean())
    tone = np.full(3, 0.95 if base < 0.5 else 0.06) if chance(rng, 0.7) else np.asarray(pick(rng)[1])
    shade = blur(np.roll(line, (round(-2 * s.light[1]), round(-2 * s.light[0])), (0, 1)), 1.0)
    image = mix(s.image * (1 - 0.35 * shade)[..., None], tone, line * np.float32(0.55 + 0.45 * spot.strength))
    return Edit(
        image, np.maximum(line, shade), str(rng.choice(["a fibre", "a hair", "a loose thread", "a piece of thread"]))
    )


def thread(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A fault along one thread: missing, double, thick, bright or pulled, part of or the full width."""
    angle = float(rng.choice([0, np.pi / 2]) + rng.normal(0, 0.01))
    full = chance(rng, 0.35)
    length = s.n * 2.2 if full else max(spot.r * 3.0, s.n * 0.08)
    width = max(1.0, s.period * rng.uniform(0.5, 2.4))
    path = _through(spot, rng, angle, length, 0.004 if full else rng.choice([0.004, 0.03]), 24)
    line = stroke(s.n, path, width)
    if chance(rng, 0.35):  # the threads beside it close up or open
        push = soften(line, s.period) * np.float32(rng.normal(0, s.period))
        image = warp(s.image, push * np.float32(np.sin(angle)), push * np.float32(np.cos(angle)))
        line = np.maximum(line, soften(line, s.period * 1.5))
    else:
        image = s.image
    kind = str(rng.choice(["missing", "bright", "thick", "loose"]))
    dark = kind == "missing" or (kind == "thick" and chance(rng, 0.5))
    beat = 0.75 + 0.25 * np.sin(np.arange(s.n, dtype=np.float32) * np.float32(2 * np.pi / max(2.0, 2 * s.period)))
    beats = np.broadcast_to(beat[:, None] if abs(np.sin(angle)) > 0.7 else beat[None, :], (s.n, s.n))
    core = stroke(s.n, path, width)
    image = mix(image, shift_tone(s, spot, rng, dark), core * beats * np.float32(0.5 + 0.5 * spot.strength))
    return Edit(
        image,
        np.maximum(line, core),
        {
            "missing": "a missing thread",
            "bright": "a bright thread",
            "thick": "a thick thread",
            "loose": "a pulled thread",
        }[kind],
    )


def weave_band(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A band of the weave is denser, thinner or off tone across the picture."""
    across = chance(rng, 0.6)
    half = max(s.period * 1.2, spot.r * 0.35)
    axis = np.arange(s.n, dtype=np.float32) - np.float32(spot.y if across else spot.x)
    profile = np.clip((half - np.abs(axis)) / 1.5 + 0.5, 0, 1)
    band = np.broadcast_to(profile[:, None] if across else profile[None, :], (s.n, s.n)).copy()
    if chance(rng, 0.5):
        squeeze = (
            band * np.float32(rng.choice([-1, 1]) * half * 0.5) * np.sign(axis)[:, None if across else slice(None)]
            if across
            else band * np.float32(half * 0.4)
        )
        zero = np.zeros_like(band)
        image = warp(s.image, zero if across else squeeze, squeeze if across else zero)
    else:
        image = s.image
    image = image * (1 + band * np.float32(spot.strength * 0.5 * rng.choice([-1, 1])))[..., None]
    return Edit(
        image,
        band,
        str(rng.choice(["a band of irregular weave", "a stripe in the weave", "a broken row", "a weaving fault"])),
    )


def wrinkle(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A fold: soft ridge with a light and a dark side, pulling the texture."""
    angle, wide = direction(s, rng), max(spot.r * rng.uniform(0.12, 0.4), 2.0)
    path = _through(spot, rng, angle, max(spot.r * 3, s.n * 0.15), 0.05)
    ridge = soften(stroke(s.n, path, wide), wide * 0.4)
    normal = angle + np.pi / 2
    light = (float(np.cos(normal)), float(np.sin(normal))) if chance(rng, 0.6) else s.light
    pull = ridge * np.float32(wide * 0.5)
    image = warp(s.image, pull * np.float32(np.cos(normal)), pull * np.float32(np.sin(normal)))
    image = image * relief(ridge * np.float32(wide), light, 0.6 + spot.strength)[..., None]
    return Edit(image, soften(ridge, wide * 0.4), str(rng.choice(["a wrinkle", "a fold", "a crease"])))


def fray(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A tuft of short broken ends, or a worn, hairy area."""
    hairs = np.zeros((s.n, s.n), np.float32)
    main = direction(s, rng)
    for _ in range(int(np.clip(spot.r * 1.2, 8, 50))):
        at = (spot.x, spot.y) + rng.normal(0, spot.r * 0.4, 2)
        path = walk(rng, at, main + rng.normal(0, 0.7), spot.r * rng.uniform(0.3, 1.0), 0.25, 8)
        np.maximum(hairs, stroke(s.n, path, _width(s, rng, 0.5, 1.4)) * np.float32(rng.uniform(0.4, 1)), out=hairs)
    cloud = np.clip(1.3 - distance(s, spot), 0, 1)
    image = (
        s.image * (1 - 0.3 * cloud * np.float32(spot.strength) * (1 + 0.5 * fractal(rng, s.n, s.n / 6, 2)))[..., None]
    )
    return Edit(
        mix(image, shift_tone(s, spot, rng), hairs),
        np.maximum(hairs, cloud > 0),
        str(rng.choice(["frayed threads", "a frayed area", "loose fibres", "a worn area"])),
    )


def glue(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A strip or drop of something translucent and shiny: glue, tape, oil, film."""
    if chance(rng, 0.5):
        path = _through(spot, rng, direction(s, rng), spot.r * 3, 0.08)
        film = soften(stroke(s.n, path, max(spot.r * rng.uniform(0.2, 0.6), 2)), 0.8)
    else:
        dx, dy = wander(rng, s.n, spot.r * 1.2, spot.r * 0.25)
        film = warp(np.clip((1 - distance(s, spot)) * spot.r * 0.7, 0, 1), dx, dy)
    tone = np.asarray(pick(rng, ("white", "yellow", "beige", "light grey", "brown"))[1], np.float32)
    flat = blur(s.image, 1.0 + spot.r * 0.06)
    image = mix(
        s.image,
        flat * 0.6 + tone * 0.4 if chance(rng, 0.6) else flat * 0.8,
        film * np.float32(0.4 + 0.6 * spot.strength),
    )
    height = blur(film, 1.0 + spot.r * 0.05)
    image = image * relief(height * 4, s.light, 0.4)[..., None]
    return Edit(
        image,
        np.clip(blur(film, 2) * 3, 0, 1),
        str(rng.choice(["a strip of glue", "glue residue", "a strip of tape", "an oily film"])),
    )


def fracture(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """The thing is broken along a line: one side of a stretch has slipped, a dark gap between."""
    angle = rng.uniform(0, np.pi)
    d = distance(s, spot)
    ys, xs = np.mgrid[0 : s.n, 0 : s.n].astype(np.float32)
    side = (xs - np.float32(spot.x)) * np.float32(-np.sin(angle)) + (ys - np.float32(spot.y)) * np.float32(
        np.cos(angle)
    )
    side += fractal(rng, s.n, s.n / max(spot.r, 4) * 1.5, 4, 0.6) * np.float32(spot.r * 0.12)
    inside = np.clip((1.1 - d) * 3, 0, 1)
    slip = np.where(side > 0, inside, 0).astype(np.float32) * np.float32(
        rng.choice([-1, 1]) * rng.uniform(2, 5) * s.n / 215
    )
    image = warp(s.image, slip * np.float32(np.cos(angle)), slip * np.float32(np.sin(angle)))
    gap = np.clip(rng.uniform(0.6, 1.8) - np.abs(side) + 0.5, 0, 1) * np.clip(inside * 2, 0, 1)
    return Edit(
        mix(image, local(s, spot) * 0.25, gap),
        np.maximum(gap, np.abs(slip) > 0.3),
        str(rng.choice(["a fracture", "a break", "a broken area"])),
    )
