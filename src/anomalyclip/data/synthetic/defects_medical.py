"""Findings: growths, ulcers, bleeding, lesions in scans, moles; and the faults of solar cells that look like them."""

from __future__ import annotations

import numpy as np

from .noise import Rng, blur, chance, coords, fractal, log_uniform, step, unit, white
from .paint import gloss, mix, relief, stroke, walk
from .palette import vary
from .scene import Scene
from .spot import Edit, Spot, distance, local, patch


def polyp(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A round or lobed growth: dome with shading, own tone, fine pits, wet highlights, a shadow at its foot."""
    aspect, angle = log_uniform(rng, 1, 1.9), rng.uniform(0, 3)
    d = distance(s, spot, aspect, angle) * (1 + 0.05 * fractal(rng, s.n, s.n / max(spot.r, 5), 2))
    if chance(rng, 0.35):  # lobed
        for _ in range(int(rng.integers(1, 6))):
            lobe = Spot(
                spot.x + rng.normal(0, 0.6) * spot.r,
                spot.y + rng.normal(0, 0.6) * spot.r,
                spot.r * rng.uniform(0.4, 0.8),
                1,
            )
            d = np.minimum(d, distance(s, lobe))
    a = np.clip((1 - d) * max(1.2, min(spot.r, 12.0) * log_uniform(rng, 0.12, 0.6)), 0, 1)
    flat = rng.uniform(0.25, 1.0)
    dome = np.sqrt(np.clip(1 - d * d, 0, 1)) * np.float32(spot.r * flat) + fractal(
        rng, s.n, s.n / max(4.0, spot.r * 0.3), 2
    ) * np.float32(rng.uniform(0, 0.8))
    dome = blur(dome, 0.7 + spot.r * 0.04)
    base = 0.5 * blur(s.image, max(2.0, spot.r * 0.5)) + 0.5 * local(s, spot)
    hue = np.array([1.0, rng.uniform(0.78, 1.15), rng.uniform(0.78, 1.15)], np.float32)
    tone = base * np.float32(rng.uniform(0.85, 1.35)) * hue
    skin = (
        np.clip(tone, 0, 1)
        * relief(dome, s.light, rng.uniform(0.4, 0.8))[..., None]
        * (1 + fractal(rng, s.n, s.n / 5, 2) * 0.03)[..., None]
    )
    skin = (
        skin
        * (
            1
            - np.clip(fractal(rng, s.n, s.n / max(4.0, spot.r * 0.25), 3) - 1.0, 0, 1) * np.float32(rng.uniform(0, 0.3))
        )[..., None]
    )
    wet = step(gloss(dome, s.light, 12) + 0.25 * fractal(rng, s.n, s.n / 8, 2), rng.uniform(1.1, 1.5), 0.15)
    skin = skin + (wet * 0.7)[..., None]
    x, y = coords(s.n)
    lee = (x - np.float32(spot.x - s.n / 2)) * np.float32(s.light[0]) + (y - np.float32(spot.y - s.n / 2)) * np.float32(
        s.light[1]
    )
    away = np.clip(0.5 - lee / np.float32(spot.r), 0.1, 1.2)
    foot = np.exp(-(((d - 1.08) / 0.13) ** 2)) * np.float32(rng.uniform(0.05, 0.4)) * away
    image = mix(s.image * (1 - foot)[..., None], skin, a)
    return Edit(
        image,
        (d < 1.25).astype(np.float32),
        str(rng.choice(["a polyp", "a growth", "a protruding polyp", "a flat lesion", "a tumour"])),
    )


def ulcer(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Inflamed or ulcerated area: pale or yellow centre, red rim."""
    d = distance(s, spot, log_uniform(rng, 1, 2), rng.uniform(0, 3)) + 0.18 * fractal(rng, s.n, s.n / max(spot.r, 5), 4)
    rim, core = np.clip(1.25 - d, 0, 1), np.clip((0.7 - d) * 3, 0, 1)
    image = s.image * (
        1 - rim[..., None] * np.array([0.05, 0.45, 0.4], np.float32) * np.float32(0.5 + 0.5 * spot.strength)
    )
    image = mix(image, vary(rng, (0.86, 0.8, 0.62)), core * np.float32(rng.uniform(0.2, 0.9)))
    return Edit(image, rim > 0, str(rng.choice(["an ulcer", "an inflamed area", "a red lesion", "an erosion"])))


def bleeding(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Blood: dark red pool, streaks or petechiae."""
    a = patch(s, spot, rng, 0.25, 0.4)
    if chance(rng, 0.4):
        a = a * step(fractal(rng, s.n, s.n / max(3.0, spot.r * 0.2), 2), 0.4, 0.5)
    tone = vary(rng, (0.48, 0.04, 0.05), 0.15)
    return Edit(
        mix(s.image, s.image * 0.25 + np.asarray(tone, np.float32) * 0.75, a * np.float32(0.5 + 0.5 * spot.strength)),
        a,
        str(rng.choice(["bleeding", "blood", "a haemorrhage", "red spots"])),
    )


def mole(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Pigmented lesion: brown to black, ragged, uneven colour."""
    a = patch(s, spot, rng, rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.35))
    mottle = unit(fractal(rng, s.n, s.n / max(spot.r, 4) * 2, 4, 0.65))[..., None]
    dark = np.asarray(
        vary(
            rng, ((0.22, 0.12, 0.08), (0.4, 0.2, 0.14), (0.6, 0.3, 0.26), (0.12, 0.1, 0.1))[int(rng.integers(4))], 0.15
        ),
        np.float32,
    )
    target = s.image * (0.3 + 0.7 * dark) * mottle + dark * (1 - mottle)
    return Edit(
        mix(s.image, target, a * np.float32(0.55 + 0.45 * spot.strength)),
        a,
        str(rng.choice(["a mole", "a pigmented lesion", "a melanoma", "a dark skin lesion"])),
    )


def lesion(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A mass in a scan: bright, dark, ring-shaped or mixed, sharply bounded or diffuse, perhaps with a soft halo."""
    soft = rng.uniform(0.08, 0.9)
    d = distance(s, spot, log_uniform(rng, 1, 2), rng.uniform(0, 3)) + np.float32(
        log_uniform(rng, 0.05, 0.35)
    ) * fractal(rng, s.n, s.n / max(spot.r, 4), 4, 0.55)
    a = step(-d, -1, soft)
    kind = str(rng.choice(["bright", "dark", "ring", "mixed"], p=[0.45, 0.2, 0.2, 0.15]))
    base = float(local(s, spot).mean())
    bright = base + (1 - base) * (0.3 + 0.6 * spot.strength)
    dark = base * (0.75 - 0.6 * spot.strength)
    inner = 0.5 + 0.5 * np.tanh(fractal(rng, s.n, s.n / max(spot.r, 4) * 1.6, 4, 0.65) * 2)
    value = {
        "bright": np.full_like(d, bright),
        "dark": np.full_like(d, dark),
        "mixed": dark + (bright - dark) * inner,
    }.get(kind, dark + (bright - dark) * np.exp(-(((d - 0.85) / rng.uniform(0.08, 0.25)) ** 2)))
    value = value * (1 + 0.12 * (inner - 0.5)) + white(rng, s.n, s.n) * 0.01
    image = s.image
    if chance(rng, 0.4):  # oedema
        halo = np.clip(1.9 - d, 0, 1) * np.float32(0.25 * spot.strength)
        image = image + (np.float32(bright if chance(rng, 0.7) else dark) - image) * halo[..., None]
    keep = np.float32(rng.uniform(0, 0.4))
    tone = np.repeat(value[..., None], 3, 2).astype(np.float32)
    return Edit(
        mix(image, tone * (1 - keep) + s.image * keep, a),
        (d < 2.0).astype(np.float32),
        f"a {kind.replace('ring', 'ring-shaped')} {rng.choice(['lesion', 'mass', 'tumour'])}",
    )


def nodule(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A soft additive shadow, as overlapping things make in X-ray."""
    a = np.exp(-(distance(s, spot, log_uniform(rng, 1, 2), rng.uniform(0, 3)) ** rng.uniform(2, 6)))
    sign = 1.0 if chance(rng, 0.65) else -1.0
    image = s.image + (a * np.float32(sign * (0.12 + 0.3 * spot.strength)))[..., None]
    return Edit(image, a, str(rng.choice(["a nodule", "an opacity", "a cavity", "an inclusion"])))


def dark_area(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """An inactive region of a solar cell: cut off by cracks with a sharp side, or a soft dark cloud."""
    if chance(rng, 0.5):
        u, v = coords(s.n, rng.uniform(0, 6.3))
        px, py = spot.x - s.n / 2, spot.y - s.n / 2
        wave = fractal(rng, s.n, 4, 4) * np.float32(spot.r * 0.15)
        a = step(spot.r * rng.uniform(0.6, 1.2) - np.abs(u - np.float32(px)) + wave, 0, 1.5) * step(
            spot.r * 1.2 - np.abs(v - np.float32(py)) + wave, 0, 2
        )
    else:
        a = step(
            -(distance(s, spot, log_uniform(rng, 1, 2)) + 0.15 * fractal(rng, s.n, 8, 3)), -0.8, rng.uniform(0.4, 1.2)
        )
    target = s.image * np.float32(0.65 - 0.6 * spot.strength)
    return Edit(
        mix(s.image, target, a),
        a,
        str(rng.choice(["a dark inactive area", "an inactive region", "a dark area", "a shunted area"])),
    )


def cell_crack(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Hairline cracks of a wafer: long, straight in pieces, crossing; one side may be dimmer."""
    line = np.zeros((s.n, s.n), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        path = walk(
            rng, (0, 0), rng.choice([np.pi / 4, -np.pi / 4, rng.uniform(0, 6.3)]), max(spot.r * 3, s.n * 0.15), 0.12, 12
        )
        path = path - path[6] + (spot.x, spot.y) + rng.normal(0, spot.r * 0.2, 2)
        np.maximum(line, stroke(s.n, path, log_uniform(rng, 0.5, 1.5) * s.n / 215), out=line)
    halo = blur(line, 2.5)
    image = s.image * (1 - line * np.float32(0.45 + 0.5 * spot.strength) - halo * 0.3)[..., None]
    return Edit(
        image, np.maximum(line, halo > 0.08), str(rng.choice(["a cell crack", "a microcrack", "a hairline crack"]))
    )


def finger_fault(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Interrupted grid fingers: dark strips between the busbars."""
    a = np.zeros((s.n, s.n), np.float32)
    upright = chance(rng, 0.5)
    for _ in range(int(rng.integers(1, 7))):
        x = spot.x + rng.normal(0, spot.r)
        half = max(spot.r * rng.uniform(0.4, 1.0), s.n * 0.04)
        p = np.array([[x, spot.y - half], [x, spot.y + half]])
        np.maximum(
            a,
            stroke(
                s.n,
                p if upright else p[:, ::-1] - (spot.y - spot.x, 0) * np.array([1, 1]) + (0, spot.y - spot.x),
                rng.uniform(1, 3),
            ),
            out=a,
        )
    image = s.image * (1 - blur(a, 0.5) * np.float32(0.25 + 0.55 * spot.strength))[..., None]
    return Edit(
        image,
        np.clip(blur(a, 0.5) * 3, 0, 1),
        str(rng.choice(["a finger interruption", "dark finger lines", "interrupted fingers"])),
    )
