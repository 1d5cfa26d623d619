"""More kinds of things: heaps, biscuits, springs, ropes, dishes, hoses, keys, modules, plugs, lenses, gaskets."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import Finish, barrel, box, ellipse, fill, mix, regular, relief, stroke, text, tint, turn, wobbly, words
from .palette import pick, vary
from .scene import Scene, anywhere, lamp
from .stage import Stage, metal_colour, place, spin, texture


def heap(n: int, rng: Rng) -> Scene:
    """Beans, nuts, pills, screws' heads or pellets lying over each other until no ground is seen."""
    name, colour = pick(rng)
    s = Stage(rng, n, tint(np.full((n, n), 0.25, np.float32), colour))
    r = n * log_uniform(rng, 0.04, 0.1)
    long, rough = rng.uniform(1, 2.2), rng.uniform(0, 0.08)
    skin = texture(rng, n, colour, str(rng.choice(["matt", "mottled", "grainy", "striped"])))
    other = texture(rng, n, vary(rng, colour, 0.2), "mottled")
    finish = Finish(r * rng.uniform(0.4, 0.9), 0.5, rng.uniform(0, 0.4), shadow=0.5, reach=r * 0.25)
    side = int(np.ceil(n / (1.35 * r)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    for x, y in rng.permutation(grid) * 1.35 * r + rng.normal(0, 0.3 * r, grid.shape):
        outline = wobbly(rng, x, y, r * rng.uniform(0.9, 1.08), rough, long, rng.uniform(0, 6.3), 28)
        s.add([outline], skin if chance(rng, 0.7) else other, finish)
    s.mask[:] = 1
    subject = str(rng.choice(["heap of beans", "nuts", "coffee beans", "pellets", "seeds", "lentils"]))
    return s.scene(subject, name, period=2 * r)


def biscuit(n: int, rng: Rng) -> Scene:
    """A biscuit, cracker, waffle or tablet with pressed pattern, dimples, glaze or chips, all as baked."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.32, 0.46)
    name, colour = pick(rng, ("beige", "brown", "orange", "dark brown", "cream", "yellow"))
    angle, corners = spin(rng), int(rng.choice([0, 0, 4, 4, 6]))
    outline = (
        ellipse(x, y, r, r * rng.uniform(0.6, 1), angle, 90, rng.uniform(2, 5))
        if corners != 6
        else wobbly(rng, x, y, r, rng.uniform(0.02, 0.08), 1.2, angle)
    )
    crust = texture(rng, n, colour, str(rng.choice(["grainy", "mottled"])))
    px, py = coords(n, angle)
    far = np.hypot(px + n / 2 - x, py + n / 2 - y) / np.float32(r)
    crust = crust * (1 - np.clip(far - 0.6, 0, 1) * np.float32(rng.uniform(0, 0.9)))[..., None]  # browner at the rim
    k = np.float32(2 * np.pi / (r * rng.uniform(0.15, 0.5)))
    kind = int(rng.integers(4))
    if kind == 0:
        height = np.maximum(np.cos(px * k), np.cos(py * k))
    elif kind == 1:
        height = step(np.cos(px * k) * np.cos(py * k), 0.8, 0.2) * -2
    elif kind == 2:
        height = np.cos(far * r * k)
    else:
        height = fractal(rng, n, n / 12, 3)
    crust = crust * relief(height.astype(np.float32) * 2, s.light, rng.uniform(0.1, 0.7))[..., None]
    s.add([outline], np.clip(crust, 0, 1), Finish(r * rng.uniform(0.1, 0.4), 0.45, rng.uniform(0, 0.15)))
    for _ in range(int(rng.integers(3, 14)) if chance(rng, 0.35) else 0):  # chips
        at = turn(rng.normal(0, 0.35, 2) * r, angle) + (x, y)
        chip = wobbly(rng, at[0], at[1], r * rng.uniform(0.04, 0.1), 0.2, k=24)
        s.add([chip], (0.2, 0.11, 0.07), Finish(3, 0.4, 0.2))
    return s.scene(str(rng.choice(["biscuit", "cracker", "waffle", "cookie", "tablet"])), name)


def coil(n: int, rng: Rng) -> Scene:
    """A spring, a wound bobbin, a twisted rope or a corrugated hose across the picture."""
    s = Stage(rng, n)
    angle, half = spin(rng), n * rng.uniform(0.08, 0.3)
    x, y = n / 2 + rng.normal(0, 0.04) * n, n / 2 + rng.normal(0, 0.04) * n
    length = n * rng.uniform(0.6, 1.5)
    name, colour = pick(rng)
    tone = metal_colour(rng) if chance(rng, 0.4) else colour
    along, across = coords(n, angle)
    shift = (n / 2 - x) * np.cos(angle) + (n / 2 - y) * np.sin(angle)
    pitch = half * log_uniform(rng, 0.08, 0.9)
    lean = rng.choice([0.0, 0.0, 0.3, 0.8])
    phase = (along + np.float32(shift) + across * np.float32(lean)) / np.float32(pitch)
    phase = phase + smooth(rng, n, 3) * np.float32(rng.uniform(0, 0.15))
    turns = np.abs(np.sin(np.pi * phase)) ** np.float32(rng.uniform(0.4, 1))
    tones = (1 + rng.normal(0, 0.04, 997)).astype(np.float32)[np.floor(phase).astype(np.int64) % 997]
    skin = tint((0.25 + 0.8 * turns) * tones * barrel(n, x, y, angle, half, rng), tone)
    skin = skin * (1 + 0.04 * white(rng, n, n))[..., None]
    s.add([box(x, y, length, 2 * half, angle, half * rng.uniform(0, 0.4))], np.clip(skin, 0, 1), Finish(2, 0.4, 0.1))
    subject = str(rng.choice(["spring", "rope", "wound coil", "corrugated hose", "bobbin", "twisted cord"]))
    return s.scene(subject, name, grain=angle, period=pitch)


def dish(n: int, rng: Rng) -> Scene:
    """A plate, lid, lens, dial or gasket: rings about one centre, printed marks, a bright reflex."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.3, 0.47)
    name, colour = pick(rng)
    ground = s.image.copy()
    flat = rng.uniform(0.75, 1)
    outline = [ellipse(x, y, r, r * flat, 0, 100)]
    if chance(rng, 0.3):  # a ring
        outline.append(ellipse(x, y, r * rng.uniform(0.4, 0.8), r * flat * rng.uniform(0.4, 0.8), 0, 80))
    s.add(outline, texture(rng, n, colour, str(rng.choice(["matt", "metal", "grainy"]))), Finish(r * 0.08, 0.5, 0.2))
    inside = s.mask.copy()
    for _ in range(int(rng.integers(0, 5))):  # steps, grooves, printed rings
        part = r * rng.uniform(0.15, 0.92)
        tone = vary(rng, pick(rng)[1]) if chance(rng, 0.4) else np.multiply(colour, rng.uniform(0.6, 1.3)).clip(0, 1)
        ring = stroke(n, ellipse(x, y, part, part * flat, 0, 90), r * log_uniform(rng, 0.01, 0.1), closed=True)
        s.image = mix(s.image, tone, ring * inside * np.float32(rng.uniform(0.3, 1)))
    prints = np.zeros((n, n), np.float32)
    if chance(rng, 0.5):  # scale marks or numbers around
        count = int(rng.integers(6, 60))
        for k in range(count):
            a = 2 * np.pi * k / count
            ends = np.array([[np.cos(a), np.sin(a) * flat]]) * r * np.array([[0.78], [0.88]]) + (x, y)
            prints = np.maximum(prints, stroke(n, ends, max(1.0, r * 0.015)))
        prints = np.maximum(prints, text(rng, n, x, y + r * 0.3, r * 0.12, words(rng, 4)))
        prints = prints * inside
        s.image = mix(s.image, (0.05, 0.05, 0.06) if sum(colour) > 1.2 else (0.95, 0.95, 0.93), prints * 0.9)
    if chance(rng, 0.5):
        shine = fill(n, wobbly(rng, x - r * 0.3, y - r * 0.3 * flat, r * rng.uniform(0.05, 0.25), 0.2, 2.2, 0.8))
        s.image = mix(s.image, (1.0, 1.0, 0.98), shine * inside * np.float32(rng.uniform(0.2, 0.7)))
    s.behind = ground
    return s.scene(str(rng.choice(["plate", "lid", "lens", "dial", "gasket", "disc"])), name, prints)


def keys(n: int, rng: Rng) -> Scene:
    """Keyboard, front panel, terminal block or rack: rows of equal units with labels, some unlike the rest."""
    s = Stage(rng, n)
    name, colour = pick(rng, ("black", "dark grey", "grey", "light grey", "white", "beige", "blue"))
    w, h = n * rng.uniform(0.7, 1.2), n * rng.uniform(0.5, 1.2)
    s.add([box(n / 2, n / 2, w, h, 0, n * 0.02)], texture(rng, n, colour, "matt"), Finish(4, 0.5, 0.1))
    rows, columns = int(rng.integers(1, 7)), int(rng.integers(3, 10))
    dx, dy = w * 0.92 / columns, h * 0.88 / rows
    cap = vary(rng, pick(rng)[1])
    skin, under = texture(rng, n, cap, "matt"), s.image.copy()
    prints = np.zeros((n, n), np.float32)
    for row in range(rows):
        for column in range(columns):
            x = n / 2 + (column - (columns - 1) / 2) * dx
            y = n / 2 + (row - (rows - 1) / 2) * dy
            odd = chance(rng, 0.06)
            tone = vary(rng, pick(rng)[1]) if odd else skin
            unit_ = [box(x, y, dx * 0.82, dy * 0.82, 0, min(dx, dy) * rng.choice([0.1, 0.1, 0.35]))]
            s.add(unit_, tone, Finish(min(dx, dy) * 0.1, 0.5, 0.2), "key", under)
            if chance(rng, 0.8):
                mark = text(rng, n, x, y, min(dx, dy) * rng.uniform(0.2, 0.35), words(rng, int(rng.integers(1, 3))))
                prints = np.maximum(prints, mark * (fill(n, unit_[0]) > 0.5))
    s.image = mix(s.image, (0.95, 0.95, 0.95) if sum(cap) < 1.3 else (0.06, 0.06, 0.08), prints * 0.9)
    subject = str(rng.choice(["keyboard", "control panel", "terminal block", "keypad", "server rack"]))
    return s.scene(subject, name, prints, period=dx)


def module(n: int, rng: Rng) -> Scene:
    """A panel of cells, windows or shelves: bars between, fingers within, a frame, one reflex of the sky."""
    name, colour = pick(rng, ("dark blue", "black", "blue", "dark grey", "purple"))
    rows, columns = rng.integers(2, 9, 2)
    x, y = coords(n, rng.normal(0, 0.02))
    u, v = (x / n + 0.5) * np.float32(columns) + 40, (y / n + 0.5) * np.float32(rows) + 40
    ident = (np.floor(u) * 131 + np.floor(v) * 17).astype(np.int64)
    shades = (1 + rng.normal(0, rng.uniform(0.01, 0.12), 997)).astype(np.float32)[ident % 997]
    image = tint(shades * (1 + 0.03 * fractal(rng, n, 5, 4)), colour)
    bars = int(rng.integers(2, 6))
    fingers = np.sin(v * np.float32(2 * np.pi * rng.integers(8, 40))) * np.float32(rng.uniform(0, 0.1))
    image = image * (1 + fingers)[..., None]
    bus = step(np.cos(u * np.float32(2 * np.pi * bars)), rng.uniform(0.9, 0.99), 0.02)
    image = mix(image, metal_colour(rng), bus * np.float32(rng.uniform(0.3, 0.9)))
    gap = np.minimum(np.abs(u - np.round(u)) * n / columns, np.abs(v - np.round(v)) * n / rows)
    joint = np.clip(rng.uniform(1, 4) * n / 215 - gap, 0, 1)
    image = mix(image, pick(rng, ("white", "light grey", "black", "grey"))[1], joint)
    light = 1 + smooth(rng, n, 1.5) * np.float32(rng.uniform(0, 0.35))
    subject = str(rng.choice(["solar module", "solar panel", "window front", "cell array"]))
    return Scene(np.clip(image * light[..., None], 0, 1), subject, anywhere(n), lamp(rng), colour=name, period=n / rows)


def plug(n: int, rng: Rng) -> Scene:
    """A plug, fuse, tap, injector or spray head: a chain of unlike bodies of revolution along one axis."""
    s = Stage(rng, n)
    angle = spin(rng)
    x, y = n / 2 + rng.normal(0, 0.03) * n, n / 2 + rng.normal(0, 0.03) * n
    total, at = n * rng.uniform(0.7, 0.95), 0.0
    bare = s.image.copy()
    name = ""
    lengths = rng.dirichlet(np.ones(int(rng.integers(3, 7))) * 2) * total
    for length in lengths:
        half = n * log_uniform(rng, 0.03, 0.2)
        t = at + length / 2 - total / 2
        cx, cy = x + np.cos(angle) * t, y + np.sin(angle) * t
        called, colour = pick(rng)
        name = name or called
        tone = metal_colour(rng) if chance(rng, 0.4) else colour
        skin = (
            texture(rng, n, tone, str(rng.choice(["matt", "metal", "grainy"])))
            * barrel(n, x, y, angle, half, rng)[..., None]
        )
        if chance(rng, 0.3):  # ribs along or thread across
            along, across = coords(n, angle)
            at_ = along if chance(rng, 0.5) else across
            wave = np.sin(at_ * np.float32(2 * np.pi / (n * rng.uniform(0.012, 0.04))))
            skin = skin * (1 + 0.25 * wave)[..., None]
        body = [box(cx, cy, length * 1.02, 2 * half, angle, min(length, half) * rng.uniform(0, 0.5))]
        s.add(body, np.clip(skin, 0, 1), Finish(3, 0.4, 0.2), "part", bare)
        at += length
    return s.scene(str(rng.choice(["plug", "fuse", "nozzle", "injector", "tap", "valve"])), name, grain=angle)


def sheet_parts(n: int, rng: Rng) -> Scene:
    """A flat stamped or cut part with many holes, slots and bends: gasket, bracket, circuit carrier, comb."""
    s = Stage(rng, n)
    angle = spin(rng)
    name, colour = pick(rng)
    tone = metal_colour(rng) if chance(rng, 0.6) else colour
    w, h = n * rng.uniform(0.4, 0.85), n * rng.uniform(0.25, 0.7)
    outlines: list[Array] = [box(n / 2, n / 2, w, h, angle, min(w, h) * rng.uniform(0, 0.45))]
    for _ in range(int(rng.integers(1, 9))):
        at = turn(rng.uniform(-0.4, 0.4, 2) * (w, h), angle) + (n / 2, n / 2)
        r = min(w, h) * rng.uniform(0.03, 0.12)
        outlines.append(
            ellipse(at[0], at[1], r, k=36)
            if chance(rng, 0.6)
            else box(at[0], at[1], r * rng.uniform(1, 4), r, angle + rng.choice([0, np.pi / 2]), r * 0.4)
            if chance(rng, 0.7)
            else regular(at[0], at[1], r, 6, angle)
        )
    s.add(outlines, texture(rng, n, tone, str(rng.choice(["metal", "matt", "grainy"]))), Finish(3, 0.5, 0.2))
    subject = str(rng.choice(["bracket", "stamped part", "gasket", "plate with holes", "lead frame"]))
    return s.scene(subject, name, grain=angle)
