"""Soft and synthetic sheets: leather, skin of plastic, paper, cardboard, foam, glass, mesh."""

from __future__ import annotations

import numpy as np

from .noise import Rng, blur, cell_borders, cells, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import mix, ramp, relief, stroke, text, tint, words
from .palette import pick, vary
from .scene import Scene, anywhere, lamp


def leather(n: int, rng: Rng) -> Scene:
    """Pebbled or creased hide."""
    light = lamp(rng)
    name, base = pick(
        rng, ("brown", "dark brown", "black", "beige", "dark red", "red", "grey", "white", "dark blue", "green")
    )
    labels, dist = cells(rng, n, int(log_uniform(rng, 250, 5000)), jitter_grid=chance(rng, 0.5))
    pebble = np.minimum(dist, 4) * -0.8 - cell_borders(labels, 1.2) * np.float32(rng.uniform(0.2, 1.2))
    crease = -np.abs(fractal(rng, n, rng.uniform(5, 14), 4, 0.6)) * np.float32(rng.uniform(0, 2.0))
    height = blur(pebble + np.minimum(crease, 0), rng.uniform(0.6, 1.3))
    value = relief(height, light, rng.uniform(0.2, 0.7)) * (1 + 0.05 * fractal(rng, n, 3, 4)) + 0.015 * white(rng, n, n)
    return Scene(
        np.clip(tint(value, base), 0, 1),
        str(rng.choice(["leather", "leather surface", "artificial leather"])),
        anywhere(n),
        light,
        colour=name,
        period=n / 25,
    )


def plastic(n: int, rng: Rng) -> Scene:
    """Moulded plastic or rubber: smooth or finely textured, ribs and mould lines, soft highlights."""
    light = lamp(rng)
    name, base = pick(rng)
    value = 1 + 0.06 * smooth(rng, n, 1.5) + white(rng, n, n) * np.float32(rng.uniform(0, 0.03))
    if chance(rng, 0.5):
        value *= relief(fractal(rng, n, n / 5, 2), light, rng.uniform(0.02, 0.2))
    image = tint(value, base) + (np.clip(smooth(rng, n, 1.5), 0, 2) ** 2 * np.float32(rng.uniform(0, 0.12)))[..., None]
    if chance(rng, 0.35):  # regular ribs
        x, _ = coords(n, rng.choice([0, np.pi / 2]))
        pitch = n / rng.uniform(4, 30)
        image *= (1 + np.float32(rng.uniform(0.05, 0.35)) * np.sin(x * np.float32(2 * np.pi / pitch)))[..., None]
    if chance(rng, 0.3):
        at = rng.uniform(0.1, 0.9) * n
        seam = stroke(n, np.array([[at, -5.0], [at + rng.normal(0, 4), n + 5.0]]), rng.uniform(0.7, 2))
        image *= (1 - 0.3 * seam + 0.2 * np.roll(seam, 2, 1))[..., None]
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["plastic surface", "plastic panel", "rubber surface", "plastic sheet"])),
        anywhere(n),
        light,
        colour=name,
    )


def paper(n: int, rng: Rng) -> Scene:
    """Paper, cardboard with flutes, wallpaper or a printed page."""
    light = lamp(rng)
    kind = str(rng.choice(["paper", "cardboard", "printed page", "wallpaper"]))
    names = (
        ("beige", "brown", "cream") if kind == "cardboard" else ("white", "cream", "light grey", "light blue", "beige")
    )
    name, base = pick(rng, names)
    fibre = blur(white(rng, n, n), 1.5, 0.6) * 0.08 + blur(white(rng, n, n), 0.6, 1.8) * 0.08
    value = 1 + fibre + 0.02 * fractal(rng, n, 4, 4)
    prints = None
    if kind == "cardboard":
        _, y = coords(n)
        value += np.float32(rng.uniform(0.01, 0.08)) * np.sin(y * np.float32(2 * np.pi * rng.uniform(12, 40) / n))
    image = tint(value, base)
    if kind == "wallpaper":
        x, y = coords(n, rng.uniform(-0.3, 0.8))
        k = 2 * np.pi * rng.uniform(3, 12) / n
        motif = step(
            np.sin(x * np.float32(k)) * np.sin(y * np.float32(k)) + 0.3 * np.sin(x * np.float32(2 * k)),
            rng.uniform(-0.2, 0.6),
            0.2,
        )
        image = mix(image, vary(rng, pick(rng)[1]), motif * np.float32(rng.uniform(0.2, 0.8)))
    if kind == "printed page":
        prints = page_text(rng, n)
        image = mix(image, (0.08, 0.08, 0.1), prints * 0.9)
    return Scene(np.clip(image, 0, 1), kind, anywhere(n), light, prints=prints, colour=name, period=n / 12)


def page_text(rng: Rng, n: int) -> np.ndarray:
    """Lines of text over the whole page."""
    high = n * rng.uniform(0.02, 0.055)
    mask = np.zeros((n, n), np.float32)
    y = high * 1.5
    while y < n - high:
        line = " ".join(words(rng, int(rng.integers(2, 8))) for _ in range(7))
        mask = np.maximum(mask, text(rng, n, n * rng.uniform(0.45, 0.55), y, high, line))
        y += high * rng.uniform(1.9, 2.4)
    return mask


def foam(n: int, rng: Rng) -> Scene:
    """Foam or sponge: open cells of many sizes."""
    light = lamp(rng)
    labels, dist = cells(rng, n, int(log_uniform(rng, 300, 6000)))
    name, base = pick(rng, ("yellow", "white", "grey", "dark grey", "pink", "light blue", "beige", "green", "black"))
    sizes = rng.random(labels.max() + 1).astype(np.float32)[labels]
    pores = np.exp(-((dist / (1 + 3 * sizes)) ** 2)) * (sizes > rng.uniform(0.2, 0.7))
    value = (1 - pores * np.float32(rng.uniform(0.2, 0.7))) * relief(-pores * 3 + fractal(rng, n, 12, 4), light, 0.3)
    return Scene(
        np.clip(tint(value, base), 0, 1),
        str(rng.choice(["foam", "sponge", "polystyrene"])),
        anywhere(n),
        light,
        colour=name,
    )


def glass(n: int, rng: Rng) -> Scene:
    """Glass or film over something: reflections, soft gradients, a pattern behind."""
    name, base = pick(rng, ("light blue", "light grey", "green", "grey", "white", "dark grey"))
    x, y = coords(n, rng.uniform(0, np.pi))
    image = tint(1 + 0.15 * smooth(rng, n, 1.3), base)
    for _ in range(int(rng.integers(1, 5))):
        band = step(
            -np.abs(x + y * np.float32(rng.normal(0, 0.05)) - np.float32(rng.uniform(-n, n) / 2)),
            -n * rng.uniform(0.02, 0.15),
            n * rng.uniform(0.005, 0.1),
        )
        image += (band * np.float32(rng.uniform(0.02, 0.18)))[..., None]
    if chance(rng, 0.4):
        k = np.float32(2 * np.pi * rng.uniform(5, 25) / n)
        image *= (1 + np.float32(rng.uniform(0.02, 0.12)) * np.sin(x * k) * np.sin(y * k))[..., None]
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["glass", "glass pane", "transparent film", "display glass"])),
        anywhere(n),
        lamp(rng),
        colour=name,
    )


def mesh(n: int, rng: Rng) -> Scene:
    """Wire grid, perforated sheet or honeycomb in front of a plain ground."""
    light = lamp(rng)
    pitch = n / log_uniform(rng, 5, 26)
    angle = float(rng.choice([0, np.pi / 4, rng.uniform(0, np.pi)]))
    x, y = coords(n, angle)
    x, y = x + smooth(rng, n, 3) * np.float32(pitch * 0.03), y + smooth(rng, n, 3) * np.float32(pitch * 0.03)
    kind = int(rng.integers(3))
    duty = rng.uniform(0.12, 0.4)
    if kind == 0:
        px, py = (
            np.abs(c / np.float32(pitch) - np.round(c / np.float32(pitch)))
            for c in (x, y * np.float32(rng.uniform(0.6, 1.4)))
        )
        height = np.maximum(np.clip(1 - px / duty * 2, 0, 1), np.clip(1 - py / duty * 2, 0, 1))
    else:  # round holes on a square or hexagonal lattice
        row = np.round(y / np.float32(pitch * (0.866 if kind == 2 else 1.0)))
        dy = y - row * np.float32(pitch * (0.866 if kind == 2 else 1.0))
        dx = x + row * np.float32(pitch * (0.5 if kind == 2 else 0.0))
        dx = dx - np.round(dx / np.float32(pitch)) * np.float32(pitch)
        height = np.clip((np.sqrt(dx**2 + dy**2) / np.float32(pitch) - (0.5 - duty * 0.8)) * 6, 0, 1)
    alpha = np.clip(height * pitch * duty * 1.2, 0, 1)
    name, wire = pick(rng, ("grey", "light grey", "black", "dark grey", "white", "green", "beige"))
    ground = vary(rng, pick(rng, ("black", "white", "grey", "light grey", "dark grey", "beige"))[1])
    if abs(sum(ground) - sum(wire)) < 0.5:
        ground = (0.04, 0.04, 0.05) if sum(wire) > 1.2 else (0.85, 0.85, 0.83)
    back = tint(1 + 0.1 * smooth(rng, n, 2) + 0.02 * white(rng, n, n), ground)
    front = tint(
        relief(blur(height, 0.8) * np.float32(pitch * duty), light, rng.uniform(0.1, 0.5))
        * (1 + 0.04 * fractal(rng, n, 6, 4)),
        wire,
    )
    image = mix(back * (1 - 0.3 * blur(np.roll(alpha, (2, 2), (0, 1)), 1.0))[..., None], front, alpha)
    subject = str(rng.choice(["wire grid", "metal grid", "grid"] if kind == 0 else ["perforated sheet", "mesh"]))
    return Scene(np.clip(image, 0, 1), subject, anywhere(n), light, back, grain=angle, colour=name, period=pitch)


def gradient_panel(n: int, rng: Rng) -> Scene:
    """A display or backlit panel: almost nothing to see, fine pixel grid."""
    x, y = coords(n)
    level = rng.uniform(0.1, 0.8)
    pitch = rng.uniform(2.0, 6.0)
    grid = np.sin(x * np.float32(2 * np.pi / pitch)) * 0.5 + np.sin(y * np.float32(2 * np.pi / pitch)) * 0.5
    value = level * (
        1
        + np.float32(rng.uniform(0, 0.1)) * grid
        + 0.05 * smooth(rng, n, 1.5)
        + white(rng, n, n) * np.float32(rng.uniform(0, 0.03))
    )
    image = ramp(np.clip(value, 0, 1), (0.0, 0.0, 0.0), vary(rng, (1.0, 1.0, 1.0), 0.1))
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["display panel", "screen", "coated film"])),
        anywhere(n),
        lamp(rng),
        colour="grey",
        period=pitch,
    )
