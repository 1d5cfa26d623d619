"""Tissue in colour: endoscopy, skin, retina, stained sections. Nothing here is a patient: all is noise and curves."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import Array, Rng, blur, cells, chance, coords, fractal, log_uniform, smooth, step, unit, white
from .paint import box, ellipse, fill, mix, ramp, regular, relief, stroke, text, tint, walk, words
from .palette import vary
from .scene import Scene, lamp

MUCOSA = (
    (0.80, 0.44, 0.36),
    (0.85, 0.50, 0.30),
    (0.74, 0.36, 0.32),
    (0.90, 0.60, 0.50),
    (0.78, 0.45, 0.22),
    (0.68, 0.30, 0.24),
)


def vessels(rng: Rng, n: int, count: int, width: float, start: tuple[float, float] | None = None) -> Array:
    """Branching thin vessels, coverage in [0, 1]; from one point (an optic disc) or from anywhere."""
    mask = np.zeros((n, n), np.float32)
    todo = []
    for _ in range(count):
        x, y = (rng.uniform(0, n), rng.uniform(0, n)) if start is None else start
        todo.append((x, y, rng.uniform(0, 2 * np.pi), n * rng.uniform(0.3, 0.7), width, 0))
    while todo and len(todo) < 60:
        x, y, angle, length, w, depth = todo.pop()
        path = walk(rng, (x, y), angle, length, 0.22, 14)
        np.maximum(mask, stroke(n, path, w), out=mask)
        if depth < 2:
            for _ in range(2):
                k = int(rng.integers(4, 14))
                todo.append(
                    (
                        path[k, 0],
                        path[k, 1],
                        angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.1),
                        length * 0.55,
                        w * 0.65,
                        depth + 1,
                    )
                )
    return mask


def folds(rng: Rng, n: int) -> tuple[Array, Array]:
    """Height of a folded tube wall in pixels and how deep (dark) each pixel lies, the lumen being deepest."""
    x, y = coords(n)
    cx, cy = rng.normal(0, 0.28, 2) * n
    bend_x, bend_y = smooth(rng, n, 1.6) * np.float32(n * 0.10), smooth(rng, n, 1.6) * np.float32(n * 0.10)
    d = np.sqrt(
        (x - np.float32(cx) + bend_x) ** 2 + ((y - np.float32(cy)) * np.float32(rng.uniform(0.75, 1.3)) + bend_y) ** 2
    )
    lumen = n * (rng.uniform(0.06, 0.24) if chance(rng, 0.65) else 0.0)
    deep = np.exp(-((d / np.float32(lumen + 1e-3)) ** 2)) if lumen > 0 else np.zeros((n, n), np.float32)
    k = rng.uniform(1.5, 4.0)
    phase = np.log1p(d / np.float32(n * 0.12)) * np.float32(k * 2) + smooth(rng, n, 1.5) * 1.1
    ridge = np.abs(np.sin(phase)) ** np.float32(rng.uniform(0.5, 1.1))
    strength = np.clip(0.6 + smooth(rng, n, 1.5), 0, 1.3) * np.float32(rng.uniform(0, 1.4))
    crease = np.clip(0.45 - ridge, 0, 1) * np.clip(strength, 0, 1) * 1.1
    deep = np.maximum(deep, crease * np.float32(rng.uniform(0.2, 0.8)))
    return ridge * strength * np.float32(n * 0.05) + fractal(rng, n, 2, 3) * np.float32(n * 0.03), deep


def highlights(rng: Rng, n: int, height: Array, amount: float) -> Array:
    """Small wet reflections, clustered on the ridges."""
    grid = log_uniform(rng, 14, 40)
    squash = rng.uniform(0.5, 1.8)
    field = fractal(rng, n, grid, 2, 0.5, (squash, 1 / squash)) + unit(height) * 1.2 - 0.6 + 0.6 * smooth(rng, n, 2.5)
    spots = step(field, 3.3 - amount, 0.3)
    return blur(spots, 0.5)


def endoscope_frame(rng: Rng, n: int) -> Array:
    """What the scope sees: circle, octagon or a box with cut corners; sometimes everything."""
    kind = int(rng.choice(4, p=[0.2, 0.4, 0.25, 0.15]))
    c, r = n / 2, n * rng.uniform(0.43, 0.5)
    if kind == 0:
        return np.ones((n, n), np.float32)
    if kind == 1:
        return fill(n, regular(c, c, r * 1.12, 8, np.pi / 8))
    if kind == 2:
        return fill(n, ellipse(c, c, r * rng.uniform(1, 1.15), r))
    return fill(n, ellipse(c, c, r * 1.02, r, 0, 90, 5))


def endoscopy(n: int, rng: Rng) -> Scene:
    """Inside of a hollow organ: folds, vessels, wet highlights, dark lumen, frame and overlay text."""
    base = vary(rng, MUCOSA[int(rng.integers(len(MUCOSA)))], 0.08)
    height, deep = folds(rng, n)
    x, y = coords(n)
    toward = float(rng.uniform(0, 6.3))
    light = (float(np.cos(toward)), float(np.sin(toward)))
    spot = np.exp(
        -((x - np.float32(rng.normal(0, 0.15) * n)) ** 2 + (y - np.float32(rng.normal(0, 0.15) * n)) ** 2)
        / np.float32((n * rng.uniform(0.4, 0.9)) ** 2)
    )
    value = relief(height, light, rng.uniform(0.25, 0.7)) * (0.45 + 0.75 * spot) * (1 - 0.93 * deep)
    value *= 1 + 0.03 * fractal(rng, n, 12, 3)
    redness = fractal(rng, n, 2.5, 5, 0.6)
    image = tint(value, base) * (1 + redness[..., None] * np.array([0.02, -0.06, -0.05], np.float32))
    tree = blur(vessels(rng, n, int(rng.integers(0, 7)), rng.uniform(1.0, 2.4) * n / 215), 0.7)
    image = image * (1 - tree[..., None] * np.array([0.12, 0.42, 0.4], np.float32) * np.float32(rng.uniform(0.2, 0.9)))
    if chance(rng, 0.3):  # yellow residue
        residue = step(fractal(rng, n, 4, 4, 0.6), rng.uniform(1.4, 2.0), 0.4)
        image = mix(image, (0.55, 0.42, 0.14), residue * 0.7 * (1 - deep))
    image = mix(image, (1.0, 0.99, 0.96), highlights(rng, n, height, rng.uniform(0, 0.9)) * (1 - deep))
    frame = endoscope_frame(rng, n)
    image = image * frame[..., None]
    if chance(rng, 0.5):
        image = overlay(rng, n, image)
    where = cv2.erode((frame > 0.9).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    subject = str(rng.choice(["colon", "endoscopy image of the colon", "mucosa", "stomach wall", "bowel"]))
    return Scene(np.clip(image, 0, 1), subject, where & (deep < 0.4), light, colour="pink", period=n / 12)


def overlay(rng: Rng, n: int, image: Array) -> Array:
    """Text lines and a dark inset, as recorders burn them in."""
    for k in range(int(rng.integers(1, 5))):
        line = text(rng, n, n * 0.13, n * (0.25 + 0.06 * k), n * 0.022, words(rng, int(rng.integers(3, 8))))
        image = mix(image, (0.8, 0.85, 0.9), line)
    if chance(rng, 0.5):
        inset = fill(n, box(n * 0.13, n * 0.87, n * rng.uniform(0.2, 0.32), n * rng.uniform(0.2, 0.34)))
        image = mix(image, np.array([0.0, 0.0, 0.0]) + (np.array([0.05, 0.3, 0.1]) if chance(rng, 0.4) else 0), inset)
    return image


def skin(n: int, rng: Rng) -> Scene:
    """Human skin close up: fine creases, pores, a few hairs and freckles."""
    light = lamp(rng)
    tone = vary(
        rng,
        [(0.90, 0.72, 0.62), (0.82, 0.60, 0.48), (0.72, 0.48, 0.36), (0.50, 0.33, 0.24), (0.92, 0.78, 0.72)][
            int(rng.integers(5))
        ],
        0.06,
    )
    _, dist = cells(rng, n, int(log_uniform(rng, 300, 3000)))
    value = relief(blur(np.minimum(dist, 4) * -1.0, 1.0), light, rng.uniform(0.02, 0.16)) * (
        1 + 0.03 * fractal(rng, n, 3, 5)
    )
    red = fractal(rng, n, 3, 5, 0.65)[..., None] * np.array([0.01, -0.035, -0.03], np.float32)
    image = tint(value, tone) * (1 + red)
    for _ in range(int(rng.integers(0, 12)) if chance(rng, 0.5) else 0):
        hair = stroke(
            n,
            walk(rng, rng.uniform(0, n, 2), rng.uniform(0, 6.3), n * rng.uniform(0.2, 0.6), 0.06),
            rng.uniform(0.5, 1.4) * n / 215,
        )
        image = mix(image, (0.15, 0.1, 0.08), hair * np.float32(rng.uniform(0.4, 0.9)))
    if chance(rng, 0.4):
        freckles = step(fractal(rng, n, 22, 2), rng.uniform(2.0, 2.6), 0.5)
        image *= 1 - freckles[..., None] * np.array([0.12, 0.2, 0.22], np.float32)
    if chance(rng, 0.25):  # dermoscope: dark corners
        image = image * fill(n, ellipse(n / 2, n / 2, n * 0.52))[..., None]
    where = image.max(2) > 0.1
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["skin", "human skin", "dermoscopy image of skin"])),
        where,
        light,
        period=n / 20,
    )


def retina(n: int, rng: Rng) -> Scene:
    """Eye fundus: orange disc with optic disc, fovea and vessels."""
    x, y = coords(n)
    d = np.sqrt(x * x + y * y) / np.float32(n * rng.uniform(0.45, 0.52))
    base = vary(rng, (0.72, 0.32, 0.12) if chance(rng, 0.7) else (0.55, 0.2, 0.12), 0.1)
    value = (1 + 0.05 * fractal(rng, n, 3, 5)) * (1.1 - 0.5 * d * d)
    side = rng.choice([-1, 1])
    ox, oy = n / 2 + side * n * rng.uniform(0.1, 0.25), n / 2 + n * rng.normal(0, 0.03)
    image = tint(value, base)
    tree = blur(vessels(rng, n, int(rng.integers(5, 9)), n * 0.013, (ox, oy)), 0.6)
    image *= 1 - tree[..., None] * np.array([0.4, 0.55, 0.5], np.float32) * np.float32(rng.uniform(0.5, 1))
    disc = np.exp(-((((x + n / 2 - ox) ** 2 + (y + n / 2 - oy) ** 2) / np.float32((n * 0.055) ** 2)) ** 2))
    image = mix(image, (0.98, 0.82, 0.5), disc * np.float32(0.8))
    fovea = np.exp(-((x - np.float32(n * -0.13 * side)) ** 2 + y * y) / np.float32((n * 0.06) ** 2))
    image *= (1 - 0.35 * fovea)[..., None]
    round_ = np.clip((1 - d) * n * 0.3, 0, 1)
    return Scene(
        np.clip(image * round_[..., None], 0, 1),
        str(rng.choice(["retina", "eye fundus"])),
        (d < 0.93) & (disc < 0.3),
        lamp(rng),
        colour="orange",
        period=n / 10,
    )


def histology(n: int, rng: Rng) -> Scene:
    """A stained section or cell culture under the microscope: nuclei in tissue."""
    back, nucleus = [
        ((0.90, 0.66, 0.78), (0.36, 0.18, 0.48)),
        ((0.85, 0.83, 0.85), (0.35, 0.25, 0.45)),
        ((0.1, 0.12, 0.1), (0.25, 0.8, 0.45)),
        ((0.7, 0.7, 0.7), (0.4, 0.4, 0.42)),
    ][int(rng.integers(4))]
    image = ramp(
        unit(fractal(rng, n, 5, 5, 0.65)), np.multiply(vary(rng, back), 0.85), np.clip(np.multiply(back, 1.08), 0, 1)
    )
    labels, dist = cells(rng, n, int(log_uniform(rng, 40, 900)), jitter_grid=chance(rng, 0.6))
    size = np.float32(n / np.sqrt(labels.max() + 1))
    radii = rng.uniform(0.15, 0.32, labels.max() + 1).astype(np.float32)[labels] * size
    shape = step(radii - dist + smooth(rng, n, n / size * 2) * size * 0.05, 0, 1.5)
    image = mix(image, vary(rng, nucleus), shape * np.float32(rng.uniform(0.5, 0.95)))
    image *= (1 + 0.05 * white(rng, n, n))[..., None]
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["tissue section", "cells under a microscope", "microscope slide"])),
        np.ones((n, n), bool),
        lamp(rng),
        period=float(size),
    )
