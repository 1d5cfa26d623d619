"""What is large, soft or faint: growths lit from the lens, masses that push, uneven zones, grooves."""

from __future__ import annotations

import cv2
import numpy as np

from .colon import facing, wet
from .materials_metal import streaks
from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, step, warp
from .paint import mix, stroke, walk
from .scene import Scene
from .spot import Edit, Spot, direction, distance, local


def protrusion(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A growth of one or several smooth lobes, the wall's own colour or a little off, lit from the lens."""
    lobes = _lobes(s, spot, rng)
    height = np.zeros((s.n, s.n), np.float32)
    edge = np.full((s.n, s.n), 9.0, np.float32)
    bulge = rng.uniform(0.35, 1.1)
    for lobe, aspect, angle in lobes:
        d = distance(s, lobe, aspect, angle) * (1 + 0.05 * fractal(rng, s.n, s.n / max(lobe.r, 6.0), 2))
        edge = np.minimum(edge, d)
        height = np.maximum(height, np.sqrt(np.clip(1 - d * d, 0, 1)) * np.float32(lobe.r * bulge))
    knobs = fractal(rng, s.n, s.n / max(5.0, spot.r * rng.uniform(0.15, 0.5)), 2) * np.float32(
        spot.r * rng.uniform(0, 0.05)
    )
    height = blur(height + knobs * (edge < 1), 0.8 + spot.r * 0.05)
    alpha = np.clip((1 - edge) * max(1.5, min(spot.r, 14.0) * log_uniform(rng, 0.15, 0.7)), 0, 1)
    image = s.image * (1 - _shadow(s, spot, edge, rng))[..., None]
    dark = np.float32(rng.uniform(0.25, 0.6))  # how bright the steepest rim remains
    lit = dark + (1 - dark) * facing(height, rng.uniform(0.7, 1.3)) ** np.float32(rng.uniform(0.6, 1.6))
    lean = (coords(s.n)[0] * np.float32(s.light[0]) + coords(s.n)[1] * np.float32(s.light[1])) / np.float32(s.n)
    skin = _flesh(s, spot, rng) * (lit * np.float32(rng.uniform(0.95, 1.35)) * (1 - lean * 0.3))[..., None]
    skin = skin + (1 - skin) * wet(rng, s.n, height * 0.2, rng.uniform(0.0, 0.8))[..., None]
    return Edit(
        mix(image, np.clip(skin, 0, 1), alpha),
        edge < 1.3,
        str(rng.choice(["a polyp", "a growth", "a protruding polyp", "a large polyp", "a tumour"])),
        mask=edge < 1.03,
    )


def _lobes(s: Scene, spot: Spot, rng: Rng) -> list[tuple[Spot, float, float]]:
    """One main body and, often, some smaller ones at its side: (place, aspect, angle)."""
    found = [(spot, log_uniform(rng, 1.0, 1.7), rng.uniform(0, np.pi))]
    for _ in range(int(rng.integers(1, 5)) if chance(rng, 0.4) else 0):
        turn, far = rng.uniform(0, 2 * np.pi), spot.r * rng.uniform(0.4, 1.0)
        place = Spot(
            spot.x + far * np.cos(turn), spot.y + far * np.sin(turn), spot.r * rng.uniform(0.35, 0.85), spot.strength
        )
        found.append((place, log_uniform(rng, 1.0, 1.5), rng.uniform(0, np.pi)))
    return found


def _flesh(s: Scene, spot: Spot, rng: Rng) -> Array:
    """Surface of a growth before light: the wall's tone, smoothed, shifted a little, with pits and mottle."""
    base = np.float32(0.35) * blur(s.image, max(3.0, spot.r * 0.6)) + np.float32(0.65) * local(s, spot)
    hue = np.array([1.0, rng.uniform(0.75, 1.2), rng.uniform(0.75, 1.2)], np.float32)
    mottle = 1 + fractal(rng, s.n, s.n / max(4.0, spot.r * 0.4), 3) * np.float32(rng.uniform(0.005, 0.06))
    pits = np.clip(fractal(rng, s.n, s.n / max(3.0, spot.r * rng.uniform(0.1, 0.3)), 2) - 1.0, 0, 1)
    mottle = mottle * (1 - pits * np.float32(rng.uniform(0, 0.3)))
    return np.clip(base * hue * np.float32(rng.uniform(0.85, 1.35)), 0, 1) * mottle[..., None]


def _shadow(s: Scene, spot: Spot, edge: Array, rng: Rng) -> Array:
    """Darkening of the wall around a growth's foot, stronger on the side away from the lens."""
    x, y = coords(s.n)
    lean = (x - np.float32(spot.x - s.n / 2)) * np.float32(s.light[0]) + (
        y - np.float32(spot.y - s.n / 2)
    ) * np.float32(s.light[1])
    side = np.clip(0.5 - lean / np.float32(2 * spot.r), 0.15, 1.1)
    foot = np.exp(-(np.clip(edge - 1, 0, 9) / rng.uniform(0.04, 0.18)))
    return foot * side * np.float32(rng.uniform(0.03, 0.35))


def mass(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A brain tumour, bleed or infarct: core of its own texture or ring, swelling around it, tissue pushed aside."""
    ragged = rng.uniform(0.06, 0.3)
    d = distance(s, spot, log_uniform(rng, 1, 1.8), rng.uniform(0, np.pi))
    d = d + fractal(rng, s.n, s.n / max(spot.r, 5.0), 4) * np.float32(ragged)
    pushed = _push(s, spot, rng)
    level = float(local(s, spot).mean())
    away = rng.choice([-1.0, 1.0], p=[0.3, 0.7]) * (0.12 + 0.5 * spot.strength)
    tone = np.float32(np.clip(level + away, 0.02, 1.0))
    texture = fractal(rng, s.n, s.n / max(3.0, spot.r * 0.4), 4, 0.65) * np.float32(rng.uniform(0.01, 0.12))
    value = np.full_like(d, tone) + texture
    if chance(rng, 0.4):  # a ring around a dead or fluid-filled core
        core = step(rng.uniform(0.45, 0.8) - d, 0, 0.15)
        value = value + (np.float32(rng.uniform(0.0, 1.0) * level) - value) * core
    swollen = np.clip((rng.uniform(1.3, 2.4) + 0.4 * fractal(rng, s.n, s.n / max(spot.r, 6.0) * 1.5, 3) - d), 0, 1)
    swelling = np.float32(rng.uniform(-0.12, 0.25) if chance(rng, 0.6) else 0.0)
    image = np.clip(pushed + (swollen * swelling)[..., None] * (s.where[..., None]), 0, 1)
    alpha = np.clip((1 - d) * max(1.5, spot.r * log_uniform(rng, 0.15, 1.0)), 0, 1) * np.float32(rng.uniform(0.65, 1.0))
    image = mix(image, np.repeat(value[..., None], 3, 2), alpha)
    inside = (d < 1) | ((swollen > 0.4) if abs(swelling) > 0.08 else False)
    words = ("a tumour", "a brain tumour", "a mass", "a lesion", "a bleed", "swelling")
    return Edit(image.astype(np.float32), d < 3, str(rng.choice(words)), mask=inside & s.where)


def _push(s: Scene, spot: Spot, rng: Rng) -> Array:
    """The picture with everything around the spot moved outwards, fading with distance."""
    x, y = coords(s.n)
    dx, dy = x - np.float32(spot.x - s.n / 2), y - np.float32(spot.y - s.n / 2)
    far = np.sqrt(dx * dx + dy * dy) / np.float32(max(spot.r, 1.0))
    amount = np.float32(rng.uniform(0, 0.5)) * np.exp(-far * far / np.float32(4.5))
    return warp(s.image, -dx * amount, -dy * amount)


def zone(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A large part of the surface that is a little off: lighter, darker, rougher or smoother, with a visible border."""
    alpha = _field(s, spot, rng)
    low = blur(s.image, max(2.0, s.n * 0.02))
    gain = np.float32(1 + rng.choice([-0.7, 1.0]) * (0.08 + 0.4 * spot.strength) * rng.uniform(0.3, 1.0))
    rough = np.float32(log_uniform(rng, 0.4, 2.6))
    target = np.clip(low * gain + (s.image - low) * rough, 0, 1)
    words = ("an uneven area", "an unevenly finished area", "a discoloured band", "a dull area", "a change of texture")
    return Edit(mix(s.image, target, alpha), alpha > 0.02, str(rng.choice(words)), mask=alpha > 0.5)


def _field(s: Scene, spot: Spot, rng: Rng) -> Array:
    """Coverage of a large part of the surface: all on one side of a line, a band, or a field with rounded corners."""
    along = direction(s, rng)
    u, v = coords(s.n, along)
    c, sn = np.float32(np.cos(along)), np.float32(np.sin(along))
    px, py = np.float32(spot.x - s.n / 2), np.float32(spot.y - s.n / 2)
    du, dv = u - (px * c + py * sn), v - (py * c - px * sn)
    kind = int(rng.integers(3))
    wave = smooth(rng, s.n, rng.uniform(2, 6)) * np.float32(spot.r * rng.uniform(0.02, 0.2))
    if kind == 0:  # everything on one side
        gap = du * np.float32(rng.choice([-1, 1])) + wave
    elif kind == 1:  # a band across
        gap = spot.r * rng.uniform(0.3, 0.9) - np.abs(du) + wave
    else:  # a field with rounded corners
        wide, high = spot.r * rng.uniform(0.8, 1.5), spot.r * rng.uniform(0.7, 1.2)
        gap = (1 - (du / wide) ** 4 - (dv / high) ** 4) * np.float32(spot.r * 0.25) + wave
    return np.clip(gap / np.float32(log_uniform(rng, 1.0, s.n * 0.06)) + np.float32(0.5), 0, 1)


def coarse(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A zone where the grain is coarser or more brilliant, as if it had been ground with another wheel."""
    alpha = _field(s, spot, rng)
    lines = streaks(rng, s.n, s.n * log_uniform(rng, 0.15, 1.5), rng.uniform(0.5, 2.2) * s.n / 215)
    turn = cv2.getRotationMatrix2D((s.n / 2, s.n / 2), -np.degrees((s.grain or np.pi / 2) - np.pi / 2), 1.0)
    lines = cv2.warpAffine(lines, turn, (s.n, s.n), borderMode=cv2.BORDER_REFLECT_101)
    if chance(rng, 0.5):  # single brilliant lines
        lines = np.clip(lines - rng.uniform(0.3, 1.2), 0, 4)
    gain = 1 + lines * np.float32(log_uniform(rng, 0.04, 0.3)) + np.float32(rng.normal(0.05, 0.1))
    target = np.clip(s.image * gain[..., None], 0, 1)
    words = ("an unevenly ground area", "an uneven area", "a coarsely ground patch", "coarse grinding marks")
    return Edit(mix(s.image, target, alpha), alpha > 0.02, str(rng.choice(words)), mask=alpha > 0.5)


def groove(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A long faint line: a scratch, crack or seam hardly darker than the surface, fading in and out."""
    angle = direction(s, rng)
    length = s.n * log_uniform(rng, 0.12, 1.3)
    path = walk(rng, (0, 0), angle, length, rng.choice([0.01, 0.05, 0.15, 0.35]), 28)
    path = path - path[14] + np.array([spot.x, spot.y])
    width = log_uniform(rng, 0.6, 3.0) * s.n / 215
    line = blur(stroke(s.n, path, width), 0.5 * s.n / 215)
    line = line * np.clip(0.65 + 0.5 * smooth(rng, s.n, rng.uniform(2, 8)), 0.05, 1)
    depth = np.float32((0.12 + 0.5 * spot.strength) * rng.choice([-1.0, 0.8]))
    edge = line - np.roll(line, 1, axis=int(rng.integers(2)))
    image = s.image * (1 + (line * depth)[..., None]) + (edge * np.float32(rng.uniform(0, 0.15)))[..., None]
    words = ("a faint scratch", "a hairline crack", "a fine crack", "a thin line", "a groove")
    return Edit(np.clip(image, 0, 1), line > 0.01, str(rng.choice(words)))
