"""More grey and microscope pictures: castings, welds, limbs, MRI of trunks, blood smears, layers, sections."""

from __future__ import annotations

import numpy as np

from .medical_scans import grey, mirror
from .noise import Rng, blur, cells, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import box, ellipse, fill, mix, text, tint, wobbly, words
from .palette import pick, vary
from .scene import Scene, anywhere, lamp


def casting_xray(n: int, rng: Rng) -> Scene:
    """A radiograph of a cast or assembled part: overlapping thicknesses, bores, ribs; film grain."""
    depth = np.full((n, n), rng.uniform(0, 0.6), np.float32) + smooth(rng, n, 1.5) * np.float32(rng.uniform(0, 0.2))
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.uniform(0, n, 2)
        r = n * log_uniform(rng, 0.05, 0.5)
        shape = (
            [ellipse(x, y, r, r * rng.uniform(0.6, 1)), ellipse(x, y, r * 0.6, r * 0.5)]
            if chance(rng, 0.5)
            else [box(x, y, r * 2, r * rng.uniform(0.2, 1.5), rng.uniform(0, 3.1), r * 0.1)]
        )
        thick = blur(fill(n, *shape), n * log_uniform(rng, 0.002, 0.02))
        depth += thick * np.float32(rng.uniform(0.15, 0.8) * (1 if chance(rng, 0.7) else -0.5))
    value = np.exp(-np.clip(depth, 0, 4)) * rng.uniform(0.7, 1.1)
    value = 1 - value if chance(rng, 0.4) else value
    value = value + fractal(rng, n, n / 3, 2) * np.float32(rng.uniform(0.005, 0.03))
    subject = str(rng.choice(["X-ray of a casting", "radiograph", "X-ray of a part", "baggage X-ray"]))
    return Scene(grey(value), subject, anywhere(n), lamp(rng), colour="grey", period=n / 10)


def weld(n: int, rng: Rng) -> Scene:
    """A weld or solder seam, photographed or as a radiograph: ripples, spatter-free flanks, plates on both sides."""
    x, y = coords(n, rng.choice([0, np.pi / 2]) + rng.normal(0, 0.05))
    x = x + smooth(rng, n, 2) * np.float32(n * 0.01)
    half = n * rng.uniform(0.05, 0.2) * (1 + 0.06 * smooth(rng, n, 6))
    t = np.clip(1 - (x / half) ** 2, 0, 1)
    pitch = n * rng.uniform(0.015, 0.06)
    ripple = np.sin((y + x * x / half * rng.uniform(0, 0.8)) * np.float32(2 * np.pi / pitch) + 0.8 * smooth(rng, n, 6))
    plate = rng.uniform(0.2, 0.7) * (1 + 0.05 * fractal(rng, n, 5, 4) + white(rng, n, n) * rng.uniform(0.01, 0.05))
    bead = rng.uniform(0.3, 1.0) * (1 + ripple * np.float32(rng.uniform(0.03, 0.3)) + 0.06 * fractal(rng, n, 20, 3))
    value = plate + (bead - plate) * np.clip(t * rng.uniform(1.5, 6), 0, 1)
    heat = np.exp(-np.clip(np.abs(x) - half, 0, n) / np.float32(n * rng.uniform(0.03, 0.15))) * (t == 0)
    image = tint(value, (1, 1, 1)) * (1 - heat[..., None] * np.array([0.2, 0.35, 0.3]) * rng.uniform(0, 1))
    subject = str(rng.choice(["weld seam", "weld", "solder seam", "glue bead"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), grain=0.0, colour="grey", period=pitch)


def limb_xray(n: int, rng: Rng) -> Scene:
    """Bones in soft tissue: shafts with bright walls and dark marrow, joints, a side marker."""
    value = np.full((n, n), rng.uniform(0, 0.08), np.float32)
    lean = rng.normal(0, 0.15)
    x, y = coords(n, lean)
    wide = n * rng.uniform(0.2, 0.45) * (1 + 0.08 * smooth(rng, n, 1, 3))
    soft = np.clip(1 - (x / wide) ** 2, 0, 1)
    value += np.sqrt(soft) * np.float32(rng.uniform(0.15, 0.4))
    for at in rng.uniform(-0.16, 0.16, int(rng.integers(1, 5))) * n:
        shaft = n * rng.uniform(0.025, 0.08) * (1 + rng.uniform(0.2, 1.2) * (2 * y / n) ** 4)
        d = np.abs(x - at - n * 0.02 * np.sin(y / n * 3)) / shaft
        wall = np.exp(-(((d - 0.85) / 0.18) ** 2))
        value += (d < 1) * np.float32(rng.uniform(0.1, 0.25)) + wall * np.float32(rng.uniform(0.15, 0.4))
    if chance(rng, 0.6):  # a joint
        gap = np.exp(-(((y - n * rng.uniform(-0.3, 0.3) - x * x / n) / (n * 0.012)) ** 2))
        value -= gap * soft * np.float32(rng.uniform(0.15, 0.4))
    value = blur(value, n / 250) * (1 + 0.05 * fractal(rng, n, 30, 3)) + fractal(rng, n, n / 3, 2) * 0.01
    if chance(rng, 0.4):
        side = str(rng.choice(["L", "R", words(rng)]))
        value = np.maximum(value, 0.9 * text(rng, n, n * 0.1, n * 0.1, n * 0.06, side))
    subject = str(rng.choice(["X-ray of a bone", "bone X-ray", "X-ray of a limb"]))
    return Scene(grey(value), subject, (soft > 0.05), lamp(rng), colour="grey", period=n / 14)


def body_mri(n: int, rng: Rng) -> Scene:
    """A slice through trunk, knee or neck: fat rim, several organs of their own tone and texture, vessels."""
    x, y = coords(n)
    rx, ry = n * rng.uniform(0.36, 0.48), n * rng.uniform(0.28, 0.46)
    d = np.sqrt((x / rx) ** 2 + (y / ry) ** 2) + 0.03 * smooth(rng, n, 3)
    value = step(1 - d, 0, 0.02) * np.float32(rng.uniform(0.5, 0.95))
    inner = rng.uniform(0.75, 0.93)
    base = np.float32(rng.uniform(0.1, 0.45))
    value = value + (base - value) * step(inner - d, 0, 0.03)
    for _ in range(int(rng.integers(3, 10))):
        px, py = n / 2 + rng.uniform(-0.6, 0.6) * rx, n / 2 + rng.uniform(-0.6, 0.6) * ry
        organ = blur(fill(n, wobbly(rng, px, py, n * log_uniform(rng, 0.03, 0.2), 0.15, rng.uniform(1, 1.8))), 1.0)
        tone = np.float32(rng.uniform(0.05, 0.9)) * (1 + 0.08 * fractal(rng, n, 14, 3))
        value = value + (tone - value) * organ * (d < inner)
    for px, py in rng.uniform(0.25, 0.75, (int(rng.integers(0, 6)), 2)) * n:
        tone = rng.choice([0.02, 0.95])
        value = value + (tone - value) * fill(n, ellipse(px, py, n * rng.uniform(0.006, 0.02), k=20))
    value = mirror(value, rng.choice([0.0, 0.6])) * (1 + smooth(rng, n, 1.3) * np.float32(rng.uniform(0, 0.2)))
    value = value + np.abs(white(rng, n, n)) * np.float32(rng.uniform(0, 0.04))
    subject = str(rng.choice(["MRI slice", "abdominal scan", "knee MRI", "liver scan"]))
    return Scene(grey(value), subject, d < inner, lamp(rng), colour="grey", period=n / 14)


def smear(n: int, rng: Rng) -> Scene:
    """Cells under a microscope: blood, culture or pollen; discs with rims or nuclei, a few of another kind."""
    ground = vary(rng, pick(rng, ("cream", "white", "light grey", "light blue", "pink", "dark grey"))[1])
    image = tint(1 + 0.02 * smooth(rng, n, 2) + 0.01 * white(rng, n, n), ground)
    colour = vary(rng, pick(rng, ("pink", "red", "purple", "light blue", "grey", "green"))[1])
    r = n * log_uniform(rng, 0.03, 0.09)
    count = int(min(90, rng.uniform(0.15, 0.7) * n * n / (np.pi * r * r)))
    core = ground if chance(rng, 0.5) else np.multiply(colour, 0.4)
    opacity, pad = np.float32(rng.uniform(0.45, 0.7)), int(1.5 * r) + 3
    for x, y in rng.uniform(0, n, (count, 2)):
        x0, y0 = max(0, int(x) - pad), max(0, int(y) - pad)
        view = image[y0 : int(y) + pad, x0 : int(x) + pad]  # a cell at a time, and no more of the picture than that
        size = r * rng.uniform(0.85, 1.12)
        disc = wobbly(rng, 0, 0, size, 0.03, rng.uniform(1, 1.25), rng.uniform(0, 3), 30)
        for scale, tone, alpha in ((1.0, np.multiply(colour, 0.8), opacity), (0.85, colour, opacity), (0.4, core, 0.5)):
            cover = fill(n, disc * scale + (x, y), size=view.shape[:2], offset=(x0, y0))
            view[:] = mix(view, tone, blur(cover, 0.7) * np.float32(alpha))
    subject = str(rng.choice(["blood smear", "cell culture", "pollen", "microscope picture of cells"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), colour="", period=2 * r)


def tissue_layers(n: int, rng: Rng) -> Scene:
    """Layered scans: an eye's OCT, skin ultrasound, a B-scan of a laminate: bright and dark bands that wave."""
    _, y = coords(n)
    wave = smooth(rng, n, 2, 1) * np.float32(n * rng.uniform(0.005, 0.05))
    at = (y + wave) / np.float32(n)
    value = np.full((n, n), rng.uniform(0.02, 0.1), np.float32)
    edge = -rng.uniform(0.15, 0.4)
    for _ in range(int(rng.integers(3, 9))):
        thick = rng.uniform(0.02, 0.14)
        tone = np.float32(rng.uniform(0.1, 0.85))
        band = step(at - np.float32(edge), 0, 0.01) * step(np.float32(edge + thick) - at, 0, 0.01)
        value = value + (tone - value) * band
        edge += thick
    speckle = blur(np.abs(white(rng, n, n)), 0.6, log_uniform(rng, 0.6, 2.5))
    value = value * (0.5 + 0.7 * speckle / speckle.mean()) * (1 + 0.15 * smooth(rng, n, 5, 2))
    subject = str(rng.choice(["OCT scan", "layered scan", "ultrasound of a laminate", "retina OCT"]))
    return Scene(grey(value), subject, anywhere(n), lamp(rng), grain=0.0, colour="grey", period=n / 12)


def aggregate(n: int, rng: Rng) -> Scene:
    """Grains in section: polished rock, weld microstructure, foam under a lens, soil, bread crumb."""
    ident, dist = cells(rng, n, int(log_uniform(rng, 40, 1500)))
    count = ident.max() + 1
    tones = np.array([vary(rng, pick(rng)[1], 0.1) for _ in range(int(rng.integers(2, 5)))], np.float32)
    image = tones[rng.integers(0, len(tones), count)][ident]
    image = image * (1 + rng.normal(0, 0.12, count)).astype(np.float32)[ident][..., None]
    size = n / np.sqrt(count)
    image = image * (1 - np.clip(dist / size, 0, 1) * np.float32(rng.uniform(-0.3, 0.6)))[..., None]
    image = image * (1 + 0.05 * fractal(rng, n, 20, 3))[..., None]
    subject = str(rng.choice(["rock section", "aggregate", "crumb", "microstructure", "soil"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), period=size)
