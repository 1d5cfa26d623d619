"""Surfaces with a deliberate pattern: figured cloth, gauze, bonded webs, quilts, seams, mosaics, prints, cardboard."""

from __future__ import annotations

import numpy as np

from .materials_fabric import WEAVES, weave
from .noise import Array, Rng, blur, cell_borders, cells, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import ellipse, fill, mix, ramp, regular, relief, stroke, tint, wobbly
from .palette import pick, vary
from .scene import Scene, anywhere, lamp


def _cloth(rng: Rng, n: int, colour: Array) -> tuple[Array, float]:
    """A fine weave in the colours of a canvas (n, n, 3), and its pitch in pixels."""
    pitch = log_uniform(rng, 1.8, 6.0) * n / 215
    kind = str(rng.choice(["plain", "twill", "satin", "rib"]))
    _, height, tone = weave(rng, n, pitch, pitch * rng.uniform(0.8, 1.2), WEAVES[kind], rng.uniform(0.01, 0.06))
    deep = rng.uniform(0.15, 0.6)
    value = (1 - deep + 1.3 * deep * height) * (1 + tone) + white(rng, n, n) * np.float32(rng.uniform(0.01, 0.05))
    return colour * value[..., None], pitch


def patterned_cloth(n: int, rng: Rng) -> Scene:
    """Tartan, houndstooth, dots, zigzag or a jacquard figure, woven in two or three colours."""
    x, y = coords(n, rng.normal(0, 0.02))
    pitch = n / log_uniform(rng, 4, 22)
    u, v = x / np.float32(pitch) + 300, y / np.float32(pitch) + 300
    fu, fv = u - np.floor(u), v - np.floor(v)
    kind = int(rng.integers(5))
    if kind == 0:  # tartan: the same stripes both ways
        edges = np.sort(rng.uniform(0, 1, 4))
        across = np.searchsorted(edges, fu) % 2 + np.searchsorted(edges, fv) % 2
        figure = across.astype(np.float32) / 2
    elif kind == 1:  # houndstooth
        square = ((fu < 0.5) == (fv < 0.5)).astype(np.float32)
        figure = np.where((fu + fv) % 0.5 < 0.25, square, (fu < 0.5).astype(np.float32))
    elif kind == 2:  # dots in offset rows
        shifted = (fu + 0.5 * (np.floor(v) % 2)) % 1
        figure = step(rng.uniform(0.15, 0.4) - np.hypot(shifted - 0.5, fv - 0.5), 0, 0.06)
    elif kind == 3:  # zigzag
        figure = step(np.sin(2 * np.pi * (fv + 0.5 * np.abs(2 * fu - 1))), 0, 0.3)
    else:  # jacquard: one wandering motif, repeated and mirrored
        side = max(8, round(pitch))
        motif = smooth(rng, 2 * side, 5) + 0.6 * smooth(rng, 2 * side, 10)
        cell = motif[:side, :side] + motif[:side, side - 1 :: -1]
        figure = step(np.tile(cell, (n // side + 1, n // side + 1))[:n, :n], rng.uniform(-0.3, 0.5), 0.2)
    name, one = pick(rng)
    other = vary(rng, one, 0.25) if chance(rng, 0.4) else pick(rng)[1]
    image, period = _cloth(rng, n, ramp(figure.astype(np.float32), other, one))
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["patterned fabric", "jacquard", "checked cloth"])),
        anywhere(n),
        lamp(rng),
        grain=np.pi / 2,
        colour=name,
        period=max(period, pitch / 4),
    )


def gauze(n: int, rng: Rng) -> Scene:
    """Open weave before a ground: gauze, canvas, burlap; threads of uneven width, a few slubs."""
    pitch = log_uniform(rng, 4, 13) * n / 215
    x, y = coords(n)
    x = x + smooth(rng, n, 3) * np.float32(pitch * rng.uniform(0, 0.4))
    y = y + smooth(rng, n, 3) * np.float32(pitch * rng.uniform(0, 0.4))
    thick = rng.uniform(0.35, 0.85)
    name, colour = pick(rng, ("cream", "white", "beige", "grey", "brown", "light grey"))
    image = tint(1 + 0.05 * fractal(rng, n, 4, 3), pick(rng)[1] if chance(rng, 0.4) else (0.07, 0.07, 0.07))
    over = ((np.floor(x / pitch) + np.floor(y / pitch)) % 2 == 0).astype(np.float32)
    for axis, along in ((x, y), (y, x)):
        t = axis / np.float32(pitch) + 300
        number = t.astype(np.int32)
        width = thick * (1 + rng.normal(0, 0.12, 700).astype(np.float32)[number % 700])
        width = width * (1 + np.float32(0.1) * smooth(rng, n, 20))
        profile = np.clip(1 - (np.abs(t - number - 0.5) / (width / 2)) ** 2, 0, 1)
        twist = 1 + np.float32(0.12) * np.sin(along * np.float32(2 * np.pi / pitch * 1.7) + axis)
        tones = 1 + rng.normal(0, 0.06, 700).astype(np.float32)[number % 700]
        thread = tint(np.sqrt(profile) * twist * tones, colour)
        alpha = np.clip(profile * 4, 0, 1) * (np.where(over > 0, 1, 0.55) if axis is x else np.where(over > 0, 0.55, 1))
        image = mix(image, thread, alpha.astype(np.float32))
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["gauze", "burlap", "canvas", "open weave"])),
        anywhere(n),
        lamp(rng),
        grain=np.pi / 2,
        colour=name,
        period=pitch,
    )


def bonded_web(n: int, rng: Rng) -> Scene:
    """Spunbond non-woven or embossed tissue: cloudy fibres, pressed with a regular grid of points."""
    light = lamp(rng)
    web = sum(blur(white(rng, n, n), *sigma) for sigma in ((0.5, 4.0), (4.0, 0.5), (1.2, 1.2)))
    value = 0.85 + np.float32(rng.uniform(0.04, 0.15)) * web / web.std() * 0.4
    value += np.float32(rng.uniform(0.02, 0.1)) * fractal(rng, n, rng.uniform(6, 16), 3)
    x, y = coords(n, rng.choice([0, np.pi / 4]) + rng.normal(0, 0.03))
    k = np.float32(2 * np.pi / (log_uniform(rng, 6, 22) * n / 215))
    field = np.cos(x * k) * np.cos(y * k * np.float32(rng.uniform(0.6, 1.2)))
    press = step(field, rng.uniform(0.4, 0.85), 0.25)
    value = value * (1 - press * np.float32(rng.uniform(-0.15, 0.25))) * relief(-press * 3, light, rng.uniform(0, 0.5))
    name, colour = pick(rng, ("white", "light grey", "cream", "light blue", "green", "dark blue", "black"))
    subject = str(rng.choice(["non-woven fabric", "tissue", "filter material", "wipe"]))
    return Scene(np.clip(tint(value, colour), 0, 1), subject, anywhere(n), light, colour=name, period=2 * np.pi / k)


def quilt(n: int, rng: Rng) -> Scene:
    """Cushions between stitched lines: quilted cloth, padded leather, bubble wrap."""
    light = lamp(rng)
    pitch = n / log_uniform(rng, 3, 12)
    x, y = coords(n, rng.choice([0, np.pi / 4]) + rng.normal(0, 0.03))
    x, y = x + smooth(rng, n, 4) * np.float32(pitch * 0.05), y + smooth(rng, n, 4) * np.float32(pitch * 0.05)
    ridge = np.abs(np.sin(x * np.float32(np.pi / pitch)))
    if chance(rng, 0.75):
        ridge = np.sqrt(ridge * np.abs(np.sin(y * np.float32(np.pi / pitch))))
    height = np.sqrt(ridge) * np.float32(pitch * rng.uniform(0.1, 0.35))
    name, colour = pick(rng)
    value = relief(height + fractal(rng, n, n / 9, 2) * 0.3, light, rng.uniform(0.4, 1.1))
    stitch = step(0.12 - ridge, 0, 0.1) * (np.sin((x + y) * np.float32(2 * np.pi / (pitch * 0.16))) > 0)
    image = tint(value * (1 + 0.03 * white(rng, n, n)), colour)
    if chance(rng, 0.6):
        image = mix(image, pick(rng)[1], blur(stitch.astype(np.float32), 0.6) * np.float32(rng.uniform(0.3, 0.9)))
    subject = str(rng.choice(["quilted fabric", "padded leather", "cushion", "upholstery"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, grain=0.0, colour=name, period=pitch)


def seam(n: int, rng: Rng) -> Scene:
    """Two pieces of cloth, leather or foil that meet in a stitched seam or hem."""
    light = lamp(rng)
    x, y = coords(n, rng.choice([0, np.pi / 2]) + rng.normal(0, 0.06))
    x = x - np.float32(n * rng.normal(0, 0.12)) + smooth(rng, n, 2) * np.float32(n * 0.008)
    name, one = pick(rng)
    other = one if chance(rng, 0.5) else pick(rng)[1]
    image, pitch = _cloth(rng, n, ramp((x > 0).astype(np.float32), other, one))
    fold = np.exp(-np.abs(x) / np.float32(n * rng.uniform(0.006, 0.03)))
    image = image * relief(-np.abs(x) * (fold > 0.05) * 0.5 + fold * 3, light, rng.uniform(0.2, 0.7))[..., None]
    thread = vary(rng, pick(rng)[1])
    long, wide = n * rng.uniform(0.02, 0.05), max(1.2, n * rng.uniform(0.005, 0.012))
    for at in np.unique([rng.choice([-1, 1]) * n * rng.uniform(0.015, 0.06), n * rng.uniform(0.015, 0.06)]):
        line = step(wide - np.abs(x - np.float32(at)), 0, 1.5) * step(np.sin(y * np.float32(np.pi / long)), 0.0, 0.4)
        image = mix(image * (1 - 0.2 * blur(line, 2))[..., None], thread, line)
    subject = str(rng.choice(["stitched seam", "seam", "hem", "car seat"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, grain=0.0, colour=name, period=max(2.0, pitch))


def mosaic(n: int, rng: Rng) -> Scene:
    """Glazed tiles, hexagons, pebbles or parquet, each piece of its own tone, joints between."""
    light = lamp(rng)
    kind = int(rng.integers(4))
    x, y = coords(n, rng.choice([0.0, np.pi / 4]) + rng.normal(0, 0.02))
    pitch = n / log_uniform(rng, 3, 14)
    if kind == 0:  # pebbles
        ident, _ = cells(rng, n, int((n / pitch) ** 2), jitter_grid=True)
    elif kind == 1:  # hexagons
        u, v = x / np.float32(pitch), y / np.float32(pitch * np.sqrt(3) / 2)
        row = np.round(v)
        ident = (row * 131 + np.round(u + 0.5 * (row % 2)) + 20000).astype(np.int64)
    elif kind == 2:  # basket parquet
        block = np.floor(x / pitch) + np.floor(y / pitch)
        strips = np.where(block % 2 == 0, np.floor(4 * x / pitch), np.floor(4 * y / pitch))
        ident = (np.floor(x / pitch) * 131 + np.floor(y / pitch) * 17 + strips * 3 + 20000).astype(np.int64)
    else:  # squares
        ident = (np.floor(x / pitch) * 131 + np.floor(y / pitch) + 20000).astype(np.int64)
    name, colour = pick(rng)
    shades = (1 + rng.normal(0, rng.uniform(0.02, 0.2), 997)).astype(np.float32)[ident % 997]
    grain = fractal(rng, n, 6, 4, 0.6, (4.0, 0.4)) if kind == 2 else fractal(rng, n, 5, 3)
    image = tint(shades * (1 + grain * np.float32(rng.uniform(0.01, 0.08))), colour)
    if chance(rng, 0.35):
        several = np.array([pick(rng)[1] for _ in range(4)], np.float32)
        image = mix(image, several[ident % 4], np.full((n, n), rng.uniform(0.2, 0.9), np.float32))
    border = cell_borders((ident % 9973).astype(np.int32), rng.uniform(1, 4) * n / 215)
    image = image * relief(-blur(border, 1.5) * 3, light, rng.uniform(0.1, 0.6))[..., None]
    image = mix(image, pick(rng, ("grey", "light grey", "dark grey", "white"))[1], border * np.float32(0.9))
    subject = str(rng.choice(["mosaic", "tiled wall", "pebble floor"] if kind != 2 else ["parquet", "wooden floor"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, colour=name, period=pitch)


def printed_sheet(n: int, rng: Rng) -> Scene:
    """Wallpaper, wrapping or printed cloth: the same small motifs over and over."""
    name, ground = pick(rng)
    image = tint(1 + 0.02 * fractal(rng, n, 4, 3) + 0.01 * white(rng, n, n), ground)
    pitch = n / log_uniform(rng, 3, 9)
    inks = [pick(rng)[1] for _ in range(3)]
    motifs = []
    for ink in inks[: int(rng.integers(1, 4))]:
        r, at = pitch * rng.uniform(0.08, 0.3), rng.uniform(0, pitch, 2)
        shape = (
            wobbly(rng, 0, 0, r, rng.uniform(0.05, 0.4)),
            regular(0, 0, r, int(rng.integers(3, 7)), rng.uniform(0, 3)),
            ellipse(0, 0, r, r * rng.uniform(0.3, 1), rng.uniform(0, 3)),
        )[int(rng.integers(3))]
        motifs.append((shape, at, ink, chance(rng, 0.4)))
    shift = 0.5 * pitch if chance(rng, 0.5) else 0.0
    prints = np.zeros((n, n), np.float32)
    for shape, at, ink, outline in motifs:
        alpha = np.zeros((n, n), np.float32)
        for row in range(-1, int(n / pitch) + 1):
            for column in range(-1, int(n / pitch) + 1):
                points = shape + np.array([column * pitch + (row % 2) * shift + at[0], row * pitch + at[1]])
                mark = stroke(n, points, max(1.5, n / 150), closed=True) if outline else fill(n, points)
                alpha = np.maximum(alpha, mark)
        image = mix(image, ink, alpha * np.float32(rng.uniform(0.6, 1.0)))
        prints = np.maximum(prints, alpha)
    subject = str(rng.choice(["wallpaper", "printed fabric", "wrapping paper", "decorated tile"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), prints=prints, colour=name, period=pitch)


def cardboard(n: int, rng: Rng) -> Scene:
    """Corrugated board, kraft paper or chipboard: flutes that show through, flecks, fibres."""
    light = lamp(rng)
    x, _ = coords(n)
    k = np.float32(2 * np.pi / (log_uniform(rng, 5, 24) * n / 215))
    flutes = np.sin(x * k + smooth(rng, n, 3) * 0.4)
    fibres = blur(white(rng, n, n), 0.6, 3.0) + blur(white(rng, n, n), 3.0, 0.6)
    value = 1 + flutes * np.float32(rng.uniform(0, 0.06)) + fibres * np.float32(rng.uniform(0.05, 0.3))
    value *= relief(flutes * 2, light, rng.uniform(0, 0.2))
    name, colour = pick(rng, ("brown", "beige", "cream", "grey", "light grey"))
    image = tint(value, colour)
    flecks = step(fractal(rng, n, n / log_uniform(rng, 2.5, 9), 1), rng.uniform(1.6, 2.6), 0.3)
    image = mix(image, np.multiply(colour, rng.uniform(0.3, 1.5)), flecks * np.float32(rng.uniform(0.1, 0.6)))
    subject = str(rng.choice(["cardboard", "corrugated board", "kraft paper", "chipboard"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, grain=np.pi / 2, colour=name, period=2 * np.pi / k)
