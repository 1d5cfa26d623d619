"""Grey scans: brain MRI, body CT, chest and industrial X-ray, ultrasound."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, step, unit, white
from .paint import ellipse, fill, relief, stroke, text, wobbly, words
from .scene import Scene, lamp


def mirror(field: Array, share: float) -> Array:
    """Make a field nearly symmetric about the vertical midline."""
    return field * np.float32(1 - share) + (field + field[:, ::-1]) * np.float32(share / 2)


def grey(value: Array) -> Array:
    """A grey field as RGB."""
    return np.repeat(np.clip(value, 0, 1)[..., None], 3, 2).astype(np.float32)


# grey levels (skull rim, marrow or fat, cortex, white matter, fluid)
SEQUENCES: dict[str, tuple[float, float, float, float, float]] = {
    "T1": (0.85, 0.12, 0.38, 0.55, 0.10),
    "T2": (0.55, 0.08, 0.50, 0.32, 0.92),
    "FLAIR": (0.70, 0.06, 0.46, 0.36, 0.07),
    "PD": (0.50, 0.10, 0.62, 0.50, 0.66),
    "CT": (1.00, 0.95, 0.42, 0.36, 0.18),
}


def brain(n: int, rng: Rng) -> Scene:
    """Axial brain slice: scalp and skull, folded cortex, white matter, ventricles, midline; nearly symmetric."""
    rim, gap, cortex, white_matter, fluid = (
        v * rng.uniform(0.85, 1.1) for v in SEQUENCES[str(rng.choice(list(SEQUENCES)))]
    )
    x, y = coords(n)
    ry, rx = n * rng.uniform(0.40, 0.48), n * rng.uniform(0.32, 0.40)
    egg = 1 + 0.08 * rng.uniform(-1, 1) * y / np.float32(ry)
    wave = mirror(smooth(rng, n, 3), 0.8) * np.float32(0.015)
    d = np.sqrt((x / np.float32(rx) * egg) ** 2 + (y / np.float32(ry)) ** 2) + wave  # 1 at the scalp
    scalp, skull = rng.uniform(0.03, 0.08), rng.uniform(0.03, 0.07)
    inner = 1 - scalp - skull
    depth = inner - d  # inside the brain: positive
    ridges = sulci(rng, n, depth)
    reach = np.clip(1.2 - depth / rng.uniform(0.28, 0.5), 0, 1)
    fold = np.exp(-((ridges / rng.uniform(0.08, 0.2)) ** 2)) * np.clip(reach * 1.4, 0, 1)
    ribbon = np.clip(np.exp(-((ridges / 0.55) ** 2)) * reach * 1.2 + step(0.06 - depth, 0, 0.05), 0, 1)
    tissue = white_matter + (cortex - white_matter) * ribbon
    deep = step(-np.abs(np.sqrt((np.abs(x) / n - 0.1) ** 2 * 3 + (y / n) ** 2) - 0.03), -0.05, 0.05) * np.float32(
        rng.uniform(0, 0.8)
    )
    tissue = tissue + (cortex - tissue) * deep
    tissue = tissue + (fluid - tissue) * np.clip(fold * rng.uniform(0.65, 1.3), 0, 1)
    mid = np.exp(-(((x + smooth(rng, n, 1, 2) * 1.2) / np.float32(n * rng.uniform(0.004, 0.01))) ** 2)) * np.clip(
        np.abs(y) / n * 5 - rng.uniform(0, 1), 0, 1
    )
    tissue = tissue + (fluid - tissue) * mid * 0.8
    tissue = tissue + (fluid - tissue) * ventricles(rng, n)
    tissue = tissue * (1 + 0.05 * mirror(fractal(rng, n, 5, 4), 0.5))
    value = tissue * step(depth, 0, 0.02)
    value += step(-np.abs(depth + 0.01), -0.012, 0.02) * fluid * 0.7
    value += gap * step(-np.abs(d - (1 - scalp - skull / 2)), -skull / 2, 0.015) * (1 + 0.2 * smooth(rng, n, 8))
    value += rim * step(-np.abs(d - (1 - scalp / 2)), -scalp / 2, 0.02) * (0.8 + 0.2 * smooth(rng, n, 4))
    value *= 1 + np.float32(rng.uniform(0, 0.12)) * smooth(rng, n, 1.2)
    value = value * np.float32(rng.uniform(0.7, 1.25)) + rng.uniform(0, 0.04)
    if chance(rng, 0.25):
        value = np.maximum(
            value,
            0.8 * text(rng, n, n * 0.09, n * rng.choice([0.08, 0.9]), n * 0.03, words(rng, int(rng.integers(1, 4)))),
        )
    subject = str(rng.choice(["brain scan", "brain MRI", "brain", "head scan"]))
    return Scene(grey(value), subject, depth > 0.04, lamp(rng), colour="grey", period=n / 14)


def sulci(rng: Rng, n: int, depth: Array) -> Array:
    """A field whose zero lines run from the cortex inwards and wander: brain furrows, nearly mirrored left to right."""
    x, y = coords(n)
    around = int(rng.integers(30, 52))
    table = white(rng, 7, around)
    bend = smooth(rng, n, 9) * 0.9, smooth(rng, n, 9) * 0.35
    column = np.arctan2(x, y) * np.float32(around / (2 * np.pi)) + bend[0] + np.float32(2 * around)
    row = depth * np.float32(8.0) + bend[1] + 7
    field = cv2.remap(
        table, column.astype(np.float32), row.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP
    )
    return np.abs(mirror(field, 0.4)) * np.float32(1.2)


def ventricles(rng: Rng, n: int) -> Array:
    """Two mirrored horns beside the midline, sometimes a third one below; absent in high slices."""
    if chance(rng, 0.25):
        return np.zeros((n, n), np.float32)
    c, size = n / 2, n * rng.uniform(0.04, 0.1)
    mask = np.zeros((n, n), np.float32)
    lean = rng.uniform(0.1, 0.5)
    for part in range(int(rng.integers(1, 3))):
        down = -size * 0.8 if part == 0 else size * rng.uniform(1.0, 2.2)
        tilt = lean if part == 0 else -lean
        for side in (-1, 1):
            horn = ellipse(
                c + side * size * (0.42 + 0.35 * part),
                c + down,
                size * 0.26,
                size * rng.uniform(0.9, 1.3),
                side * tilt,
                40,
                1.7,
            )
            mask = np.maximum(mask, fill(n, horn))
    if chance(rng, 0.5):
        mask = np.maximum(mask, fill(n, ellipse(c, c + size * 0.9, size * 0.1, size * 0.4)))
    return blur(mask, 0.8)


def body_ct(n: int, rng: Rng) -> Scene:
    """Abdomen or thorax CT slice: fat rim, muscle, spine, organs, or two dark lungs."""
    x, y = coords(n)
    rx, ry = n * rng.uniform(0.42, 0.48), n * rng.uniform(0.28, 0.4)
    wave = smooth(rng, n, 3) * np.float32(0.02)
    d = (np.abs(x / np.float32(rx)) ** 2.4 + np.abs(y / np.float32(ry)) ** 2.4) ** np.float32(1 / 2.4) + wave
    value = 0.22 * step(1 - d, 0, 0.02) + 0.26 * step(rng.uniform(0.84, 0.95) - d, 0, 0.02)
    c = n / 2
    organs = np.zeros((n, n), np.float32)
    lungs = chance(rng, 0.5)
    for side in (-1, 1):
        if lungs:
            lung = fill(n, wobbly(rng, c + side * rx * 0.48, c - ry * 0.05, rx * 0.38, 0.08, 1 / 1.35))
            value = value * (1 - lung) + lung * (0.08 + 0.06 * np.clip(fractal(rng, n, 12, 4), -0.5, 3))
        else:
            organs = np.maximum(
                organs,
                0.12
                * fill(
                    n,
                    wobbly(
                        rng,
                        c + side * rx * rng.uniform(0.4, 0.55),
                        c + ry * rng.uniform(-0.2, 0.3),
                        rx * rng.uniform(0.15, 0.33),
                        0.08,
                    ),
                ),
            )
    for _ in range(int(rng.integers(2, 9))):
        blob_ = fill(
            n,
            wobbly(
                rng, c + rng.normal(0, 0.3) * rx, c + rng.normal(-0.1, 0.3) * ry, rx * rng.uniform(0.04, 0.14), 0.12
            ),
        )
        organs = np.maximum(organs, blob_ * np.float32(rng.uniform(0.05, 0.2))) if not lungs else organs
    value = value + blur(organs, 1)
    heart = (
        fill(n, wobbly(rng, c + rx * 0.1, c - ry * 0.15, rx * 0.25, 0.06)) if lungs else np.zeros((n, n), np.float32)
    )
    value = value * (1 - heart) + heart * 0.55
    spine = fill(n, wobbly(rng, c, c + ry * 0.55, rx * 0.11, 0.06), ellipse(c, c + ry * 0.68, rx * 0.04))
    value = value * (1 - spine) + spine * (0.85 + 0.1 * fractal(rng, n, 20, 3))
    for k in range(int(rng.integers(4, 10))):
        a = np.pi * (0.1 + 0.8 * k / 9) + (np.pi if k % 2 else 0)
        rib = fill(
            n, ellipse(c + rx * 0.88 * np.cos(a), c + ry * 0.88 * np.sin(a), rx * 0.06, rx * 0.02, a + np.pi / 2)
        )
        value = value * (1 - rib) + rib * 0.95
    value = value * (1 + 0.04 * fractal(rng, n, 8, 4)) + white(rng, n, n) * np.float32(rng.uniform(0, 0.03))
    return Scene(
        grey(value * rng.uniform(0.8, 1.15)),
        str(rng.choice(["CT scan", "abdomen CT", "chest CT", "liver CT"])),
        d < 0.82,
        lamp(rng),
        colour="grey",
        period=n / 14,
    )


def xray(n: int, rng: Rng) -> Scene:
    """Chest-like or bone X-ray, or a radiograph of a casting: overlapping soft shadows."""
    x, y = coords(n)
    value = 0.45 + 0.1 * smooth(rng, n, 1.3)
    c = n / 2
    if chance(rng, 0.5):
        for side in (-1, 1):
            lung = blur(fill(n, wobbly(rng, c + side * n * 0.2, c, n * 0.2, 0.06, 1 / 1.9)), n * 0.02)
            value -= lung * np.float32(rng.uniform(0.2, 0.32))
        bow = np.float32(rng.uniform(0.3, 0.6) / n)
        ribs = np.sin(
            (y + x * x * bow) * np.float32(2 * np.pi * rng.uniform(7, 11) / n) + np.float32(rng.uniform(0, 6))
        )
        value += step(ribs, 0.4, 0.8) * np.float32(rng.uniform(0.04, 0.1)) * (np.abs(x) < n * 0.4)
        value += (
            0.3 * np.exp(-((x / np.float32(n * 0.05)) ** 2)) * (1 + 0.12 * np.sin(y * np.float32(2 * np.pi * 16 / n)))
        )
        value += 0.25 * blur(fill(n, wobbly(rng, c + n * 0.06, c + n * 0.12, n * 0.14, 0.05)), 4)
        subject = str(rng.choice(["chest X-ray", "X-ray image"]))
    else:
        value = value * 0.6
        for _ in range(int(rng.integers(2, 6))):  # bones or ribs of a casting: bright walls, softer core
            a, at, w = rng.normal(0, 0.4), rng.uniform(-0.4, 0.4) * n, n * rng.uniform(0.05, 0.16)
            u = np.abs(x * np.float32(np.cos(a)) + y * np.float32(np.sin(a)) - np.float32(at)) / np.float32(w)
            value += np.float32(rng.uniform(0.12, 0.35)) * (
                step(1 - u, 0, 0.12) * 0.6 + 0.5 * np.exp(-(((u - 0.85) / 0.15) ** 2))
            )
        value += 0.05 * smooth(rng, n, 6)
        subject = str(rng.choice(["X-ray of a casting", "bone X-ray", "X-ray image"]))
    value = value * (1 + 0.03 * fractal(rng, n, 6, 5)) + white(rng, n, n) * np.float32(rng.uniform(0.003, 0.03))
    value = 1 - value if chance(rng, 0.15) else value
    return Scene(grey(value), subject, np.ones((n, n), bool), lamp(rng), colour="grey", period=n / 12)


def ultrasound(n: int, rng: Rng) -> Scene:
    """Speckled layers in a sector or a box, fading with depth, with shadows and dark vessels."""
    x, y = coords(n)
    depth = (y + n / 2) / n
    layers = np.sin(
        depth * np.float32(rng.uniform(12, 40)) + smooth(rng, n, 1.5, 2) * 1.5 + fractal(rng, n, 3, 3) * 0.5
    )
    echo = 0.35 + 0.16 * layers * np.exp(-depth * rng.uniform(0.5, 3)) + 0.1 * fractal(rng, n, 3, 5, 0.65)
    for _ in range(int(rng.integers(0, 3))):
        vessel = blur(
            fill(
                n,
                wobbly(
                    rng,
                    rng.uniform(0.2, 0.8) * n,
                    rng.uniform(0.35, 0.8) * n,
                    n * rng.uniform(0.03, 0.08),
                    0.1,
                    rng.uniform(1, 3),
                ),
            ),
            1.2,
        )
        echo *= 1 - 0.7 * vessel
    wide, tall = rng.uniform(0.9, 2.2) * n / 215, rng.uniform(0.6, 1.1) * n / 215
    grain, other = blur(white(rng, n, n), wide, tall), blur(white(rng, n, n), wide, tall)
    speckle = np.sqrt(grain**2 / grain.var() + other**2 / other.var()) / np.float32(1.25)
    speckle = speckle ** np.float32(rng.uniform(0.35, 0.9))
    value = np.clip(echo, 0.02, 1) * speckle * (1.15 - 0.6 * depth * rng.uniform(0, 1))
    sector = np.ones((n, n), np.float32)
    if chance(rng, 0.5):
        px, py = x, y + n * 0.62
        ang = np.abs(np.arctan2(px, py))
        rad = np.sqrt(px**2 + py**2) / n
        sector = step(rng.uniform(0.5, 0.8) - ang, 0, 0.01) * step(rad, 0.2, 0.01) * step(1.08 - rad, 0, 0.01)
    image = grey(value * sector)
    return Scene(
        image,
        str(rng.choice(["ultrasound image", "ultrasound scan", "sonogram"])),
        cv2.erode((sector > 0.9).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0,
        lamp(rng),
        colour="grey",
        period=n / 12,
    )


def micrograph(n: int, rng: Rng) -> Scene:
    """Electron microscope view: nanofibres or etched grains, high contrast grey."""
    light = lamp(rng)
    if chance(rng, 0.5):
        height = np.zeros((n, n), np.float32)
        width = n * log_uniform(rng, 0.006, 0.02)
        for k in range(int(rng.integers(30, 80))):
            a = rng.uniform(0, np.pi)
            px, py = rng.uniform(-0.1, 1.1, 2) * n
            t = np.linspace(-1.5, 1.5, 16) * n
            path = np.stack([px + t * np.cos(a), py + t * np.sin(a) + np.sin(t / n * 3 + k) * n * 0.06], 1)
            line = stroke(n, path, width * rng.uniform(0.6, 1.3))
            height = np.maximum(height * (1 - line), line * np.float32(0.35 + 0.65 * k / 80))
        value = blur(height, 0.7) * 0.85 + 0.05
        subject = str(rng.choice(["nanofibres", "electron micrograph"]))
    else:
        height = np.abs(fractal(rng, n, rng.uniform(6, 20), 4, 0.55))
        value = 0.45 * relief(height * np.float32(n / 30), light, 0.6) + 0.1 * unit(height)
        subject = str(rng.choice(["electron micrograph", "etched surface"]))
    value = value + white(rng, n, n) * np.float32(rng.uniform(0.01, 0.06))
    return Scene(grey(value), subject, np.ones((n, n), bool), light, colour="grey", period=n / 20)
