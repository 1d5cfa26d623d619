"""Metal: brushed, rolled, cast, ground tiles of magnetic material, painted and rusty plate."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, cells, chance, coords, fractal, log_uniform, smooth, step, unit, white
from .paint import box, fill, mix, ramp, relief, stroke, text, tint, walk, words
from .palette import pick
from .scene import Scene, anywhere, lamp

_TONES = {
    "grey": (1.0, 1.0, 1.0),
    "steel": (0.95, 0.98, 1.03),
    "brass": (1.1, 0.92, 0.55),
    "copper": (1.12, 0.72, 0.55),
    "aluminium": (1.0, 1.01, 1.02),
}


def streaks(rng: Rng, n: int, length: float, width: float = 0.4) -> Array:
    """Fine vertical lines `length` pixels long, about unit variance."""
    field = blur(white(rng, n, n), width, max(length, 0.5))
    return field / np.float32(field.std() + 1e-6)


def uneven(rng: Rng, n: int, strength: float) -> Array:
    """Multiplicative patchy light, as mirrored by half-matt metal: log-normal, wide blobs and side shadows."""
    field = smooth(rng, n, 1.6, 1.2) * 0.7 + smooth(rng, n, 3.0, 1.2) * 0.35
    return np.exp(field * np.float32(strength)).astype(np.float32)


def brushed(n: int, rng: Rng) -> Scene:
    """Brushed or rolled sheet with directional streaks."""
    name = str(rng.choice(list(_TONES)))
    base = rng.uniform(0.3, 0.75)
    lines = streaks(rng, n, n * log_uniform(rng, 0.08, 3.0)) * 0.7 + streaks(rng, n, n * 0.05, 0.8) * 0.4
    tone = base * (1 + lines * np.float32(log_uniform(rng, 0.02, 0.18))) * uneven(rng, n, rng.uniform(0.05, 0.4))
    image = tint(tone, _TONES[name])
    return Scene(
        np.clip(image, 0, 1),
        _metal_noun(rng, "brushed metal"),
        anywhere(n),
        lamp(rng),
        grain=np.pi / 2,
        colour="" if name == "steel" else name,
        period=4,
    )


def _metal_noun(rng: Rng, kind: str) -> str:
    return str(rng.choice([kind, "metal surface", "metal plate", "steel sheet"]))


def magnetic_tile(n: int, rng: Rng) -> Scene:
    """A grey ground tile: vertical grinding lines, very uneven light, dark ends, a bright side rim, faint old marks."""
    level = rng.uniform(0.16, 0.8)
    fine = streaks(rng, n, n * log_uniform(rng, 0.1, 1.0)) * 0.6 + streaks(rng, n, n * 0.04) * 0.55
    broken = np.clip(streaks(rng, n, n * 0.3) - 1.2, 0, 3) * np.clip(0.5 + smooth(rng, n, 5, 3), 0, 1.5)
    grit = white(rng, n, n)
    rough = 1 + np.float32(rng.uniform(0.03, 0.1)) * fine + np.float32(rng.uniform(0.0, 0.16)) * broken
    rough += np.float32(rng.uniform(0.01, 0.06)) * grit + np.float32(rng.uniform(0, 0.06)) * fractal(rng, n, 4, 4)
    tone = level * rough * uneven(rng, n, rng.uniform(0.05, 0.6))
    tone *= faint_marks(rng, n)
    where = np.ones((n, n), np.float32)
    image = np.repeat(np.clip(tone, 0, 1)[..., None], 3, 2)
    behind = np.zeros_like(image) + np.float32(rng.uniform(0.01, 0.12))
    if chance(rng, 0.75):
        image, where = tile_rim(rng, n, image, behind)
    light = lamp(rng)
    subject = str(rng.choice(["magnetic tile", "ground metal tile", "cast metal surface", "grey tile"]))
    return Scene(
        np.clip(image, 0, 1), subject, where > 0.9, light, behind, grain=np.pi / 2, colour="grey", period=n / 40
    )


def faint_marks(rng: Rng, n: int) -> Array:
    """Legitimate weak stains and handling marks: never more than a few per cent, so that real defects stand out."""
    marks = np.ones((n, n), np.float32)
    if chance(rng, 0.5):
        cloud = step(fractal(rng, n, 3, 4, 0.6), rng.uniform(0.8, 1.6), 1.2)
        marks -= np.float32(rng.uniform(0.02, 0.1)) * cloud
    for _ in range(int(rng.integers(0, 4))):
        path = walk(rng, rng.uniform(0, n, 2), rng.uniform(0, 6.3), n * rng.uniform(0.1, 0.5), 0.15)
        marks -= np.float32(rng.uniform(0.015, 0.06)) * blur(stroke(n, path, rng.uniform(0.5, 2)), 0.7)
    return marks


def tile_rim(rng: Rng, n: int, image: Array, behind: Array) -> tuple[Array, Array]:
    """Cut the tile out: bowed dark ends at top and bottom, straight sides with a bright chamfer."""
    left, right = (n * rng.uniform(0.0, 0.08) * (rng.random() < 0.6) for _ in range(2))
    bow = n * rng.normal(0, 0.02)
    x = np.linspace(left, n - right, 24)
    arch = bow * (1 - ((x - n / 2) / (n / 2)) ** 2)
    top, bottom = n * rng.uniform(0, 0.05), n * rng.uniform(0.95, 1.0)
    tilt = rng.normal(0, 0.01) * (x - n / 2)
    outline = np.concatenate([np.stack([x, top + arch + tilt], 1), np.stack([x, bottom + arch + tilt], 1)[::-1]])
    outline[:, 0] += (outline[:, 1] - n / 2) * rng.normal(0, 0.012)
    alpha = fill(n, outline)
    if chance(rng, 0.6):
        rim = np.clip(
            alpha - np.roll(blur(alpha, 0.8), int(rng.integers(2, 5)) * (1 if chance(rng, 0.5) else -1), 1), 0, 1
        )
        image = image + (rim * np.float32(rng.uniform(0.1, 0.6)))[..., None]
    image = image * (0.55 + 0.45 * np.clip(blur(alpha, n / 50) * 2 - 1, 0, 1))[..., None]
    return mix(behind, image, alpha), alpha


def cast(n: int, rng: Rng) -> Scene:
    """Rough cast iron, sandblasted or galvanised metal."""
    light = lamp(rng)
    if chance(rng, 0.3):
        labels, _ = cells(rng, n, int(rng.integers(20, 200)))
        tones = rng.normal(0, 0.1, labels.max() + 1).astype(np.float32)
        tone = rng.uniform(0.4, 0.7) * (1 + tones[labels] + 0.04 * white(rng, n, n))
        subject = "galvanised metal"
    else:
        height = fractal(rng, n, log_uniform(rng, 6, 40), 4, rng.uniform(0.5, 0.9))
        tone = rng.uniform(0.15, 0.6) * relief(height, light, rng.uniform(0.15, 0.6)) * (1 + 0.03 * white(rng, n, n))
        subject = str(rng.choice(["cast iron surface", "rough metal", "sandblasted metal"]))
    tone = tone * uneven(rng, n, rng.uniform(0.02, 0.3))
    image = tint(tone, _TONES[str(rng.choice(["grey", "steel", "aluminium", "copper"]))])
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, colour="", period=5)


def painted_metal(n: int, rng: Rng) -> Scene:
    """Lacquered plate with orange peel, screws, seams, sometimes a stencilled number; or evenly rusty plate."""
    light = lamp(rng)
    name, colour = pick(rng)
    peel = relief(fractal(rng, n, n / 8, 2), light, rng.uniform(0.01, 0.1))
    image = tint(peel * (1 + 0.05 * smooth(rng, n, 2)), colour)
    subject = str(rng.choice(["painted metal", "lacquered panel", "car body panel"]))
    if chance(rng, 0.25):
        rust = unit(fractal(rng, n, 5, 6, 0.7))
        image = ramp(rust, (0.2, 0.09, 0.05), (0.62, 0.33, 0.17)) * peel[..., None]
        subject, name = "rusty metal", "brown"
    prints = None
    if chance(rng, 0.4):
        y = n * rng.uniform(0.15, 0.85)
        line = stroke(n, np.array([[-5.0, y], [n + 5.0, y + rng.normal(0, 3)]]), rng.uniform(1, 3))
        image = mix(image, np.multiply(image.mean((0, 1)), 0.4), line * 0.8)
        image += (np.roll(line, 2, 0) * np.float32(0.12))[..., None]
    if chance(rng, 0.3):
        prints = text(
            rng, n, n * rng.uniform(0.3, 0.7), n * rng.uniform(0.2, 0.8), n * rng.uniform(0.05, 0.2), words(rng)
        )
        image = mix(image, (0.95, 0.95, 0.9) if sum(colour) < 1.4 else (0.06, 0.06, 0.08), prints * 0.9)
    image = rivets(rng, n, image, light) if chance(rng, 0.4) else image
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, prints=prints, colour=name)


def rivets(rng: Rng, n: int, image: Array, light: tuple[float, float]) -> Array:
    """A regular row of rivets or drilled holes: legitimate."""
    pitch, r = n * rng.uniform(0.12, 0.3), n * rng.uniform(0.01, 0.03)
    y0 = n * rng.uniform(0.08, 0.92)
    x, y = coords(n)
    px = (x + n / 2 + np.float32(rng.uniform(0, pitch))) % np.float32(pitch) - np.float32(pitch / 2)
    d = np.sqrt(px**2 + (y + n / 2 - np.float32(y0)) ** 2)
    disc = np.clip(r - d + 0.5, 0, 1)
    if chance(rng, 0.5):
        return mix(image, (0.03, 0.03, 0.03), disc)
    dome = np.sqrt(np.clip(r * r - d * d, 0, None)) * disc
    return image * relief(dome, light, 1.2)[..., None]


def stamped_plate(n: int, rng: Rng) -> Scene:
    """A machined face: turning rings, a milled pattern, bores in regular places."""
    light = lamp(rng)
    cx, cy = rng.uniform(-0.6, 0.6, 2) * n
    x, y = coords(n)
    d = np.sqrt((x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2)
    ring = np.interp(d, np.arange(0, 2 * n, 0.7), rng.normal(0, 1, len(np.arange(0, 2 * n, 0.7)))).astype(np.float32)
    theta = np.arctan2(y - np.float32(cy), x - np.float32(cx))
    sheen = np.cos(2 * theta + np.float32(rng.uniform(0, 6))) * np.float32(rng.uniform(0.05, 0.3))
    tone = rng.uniform(0.35, 0.65) * (1 + ring * np.float32(rng.uniform(0.02, 0.1)) + sheen + 0.02 * white(rng, n, n))
    image = tint(tone * uneven(rng, n, 0.1), _TONES[str(rng.choice(["grey", "steel", "brass", "aluminium"]))])
    where = np.ones((n, n), bool)
    if chance(rng, 0.6):
        a0, count, radius = rng.uniform(0, 6), int(rng.integers(3, 9)), n * rng.uniform(0.2, 0.45)
        for k in range(count):
            a = a0 + 2 * np.pi * k / count
            hole = fill(
                n,
                box(n / 2 + cx + radius * np.cos(a), n / 2 + cy + radius * np.sin(a), n * 0.07, n * 0.07, 0, n * 0.035),
            )
            image = mix(image, (0.03, 0.03, 0.03), hole)
            where &= hole < 0.01
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["machined metal face", "turned metal part", "flange"])),
        where,
        light,
        period=4,
    )
