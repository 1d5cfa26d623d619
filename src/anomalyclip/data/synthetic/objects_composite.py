"""Things made of different things, on ground that has a structure of its own: odd to look at, and all of it normal."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, step, white
from .paint import Finish, barrel, box, ellipse, fill, mix, regular, stroke, text, tint, turn, wobbly, words
from .palette import pick, vary
from .scene import Scene
from .stage import Stage, metal_colour, place, texture


def structured_ground(rng: Rng, n: int) -> Array:
    """Ground that is no quiet backdrop: perforated board, grating, weave, tiles, ribs, printed grid, brushed plate."""
    kind = int(rng.integers(7))
    x, y = coords(n, float(rng.choice([0.0, np.pi / 4])) + rng.normal(0, 0.03))
    pitch = n / log_uniform(rng, 5, 24)
    k = np.float32(2 * np.pi / pitch)
    _, tone = pick(rng)
    other = np.multiply(tone, rng.uniform(0.15, 0.7))
    base = tint(1 + 0.05 * fractal(rng, n, 5, 4), tone)
    if kind == 0:  # holes in rows
        mask = step(np.cos(x * k) + np.cos(y * k), rng.uniform(0.7, 1.5), 0.3)
    elif kind == 1:  # grating
        mask = step(np.maximum(np.cos(x * k), np.cos(y * k)), rng.uniform(0.3, 0.9), 0.2)
    elif kind == 2:  # weave
        mask = 0.5 + 0.5 * np.sin(x * k) * np.sin(y * k)
    elif kind == 3:  # tiles with joints
        mask = step(np.maximum(np.cos(x * k / 2) ** 8, np.cos(y * k / 2) ** 8), 0.75, 0.3)
    elif kind == 4:  # ribs
        mask = 0.5 + 0.5 * np.cos(x * k)
    elif kind == 5:  # fine printed lines
        mask = step(np.maximum(np.cos(x * k), np.cos(y * k)), 0.985, 0.02) * np.float32(rng.uniform(0.3, 0.9))
    else:  # plate with a row of screws or bores
        mask = np.zeros((n, n), np.float32)
        at = n * rng.uniform(0.05, 0.95)
        for c in np.arange(pitch, n, 2 * pitch):
            mask = np.maximum(mask, fill(n, ellipse(c, at, pitch * 0.3, k=30)))
    return np.clip(mix(base, other, np.float32(rng.uniform(0.5, 1.0)) * mask.astype(np.float32)), 0, 1)


def mounted_part(n: int, rng: Rng) -> Scene:
    """One part with case, tab, legs, windows and print, mounted on structured ground: alone of its kind, and right."""
    s = Stage(rng, n, structured_ground(rng, n))
    x, y, r = place(rng, n, 0.2, 0.36)
    bare = s.image.copy()
    metal = texture(rng, n, metal_colour(rng), str(rng.choice(["metal", "grainy"])))
    down = float(rng.choice([0, 1, 2, 3])) * np.pi / 2 + rng.normal(0, 0.03)
    legs, spread = int(rng.integers(2, 6)), rng.uniform(0.9, 1.7)
    for k in range(legs):
        dx = (k - (legs - 1) / 2) * spread * r / max(1, legs - 1)
        foot = turn(np.array([dx * rng.uniform(1.0, 1.15), r * 1.3]), down) + (x, y)
        s.add(
            [box(foot[0], foot[1], r * 0.13, r * rng.uniform(1.0, 1.4), down)], metal, Finish(2, 0.5, 0.4), "leg", bare
        )
        pad = turn(np.array([dx * 1.1, r * 1.9]), down) + (x, y)
        s.add([ellipse(pad[0], pad[1], r * 0.17, k=24)], metal_colour(rng), Finish(r * 0.05, 0.4, 0.3, shadow=0.1))
    if chance(rng, 0.5):  # a cooling tab with its hole
        tab = turn(np.array([0.0, -r * 0.85]), down) + (x, y)
        hole = ellipse(tab[0], tab[1], r * 0.2, k=30)
        s.add([box(tab[0], tab[1], r * 1.3, r * 1.0, down, r * 0.1), hole], metal, Finish(3, 0.5, 0.4), "tab", bare)
    name, colour = pick(rng, ("black", "dark grey", "grey", "white", "blue", "red", "brown", "green"))
    case = texture(rng, n, colour, str(rng.choice(["matt", "grainy", "mottled"])))
    shape = [
        box(x, y, r * 1.7, r * 1.6, down, r * rng.uniform(0, 0.3)),
        ellipse(x, y, r * 0.95, r * rng.uniform(0.7, 0.95), down, 60, rng.uniform(2, 4)),
        regular(x, y, r, int(rng.integers(5, 9)), down),
    ][int(rng.integers(3))]
    s.add([shape], case, Finish(r * rng.uniform(0.05, 0.3), 0.5, rng.uniform(0, 0.4)), "case", bare)
    for _ in range(int(rng.integers(0, 4))):  # windows, buttons, sockets of other materials
        at = turn(rng.uniform(-0.5, 0.5, 2) * r, down) + (x, y)
        inset = (
            [ellipse(at[0], at[1], r * 0.2, k=30)]
            if chance(rng, 0.5)
            else [box(at[0], at[1], r * 0.45, r * 0.3, down, 2)]
        )
        s.add(inset, vary(rng, pick(rng)[1]), Finish(r * 0.06, rng.uniform(-0.6, 0.6), 0.3, shadow=0.1), "insert")
    prints = text(rng, n, x, y + r * rng.uniform(-0.3, 0.3), r * rng.uniform(0.15, 0.3), words(rng, 4), down) * s.mask
    s.image = mix(s.image, (0.9, 0.9, 0.88) if sum(colour) < 1.4 else (0.08, 0.08, 0.1), prints * 0.8)
    return s.scene(str(rng.choice(["electronic part", "transistor", "relay", "sensor", "mounted part"])), name, prints)


def kernel(n: int, rng: Rng) -> Scene:
    """A nut, seed or fruit with its rough base, ribs from the tip, blotches and a wet highlight, all of it normal."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.3, 0.46)
    name, colour = pick(rng, ("brown", "dark brown", "beige", "orange", "red", "cream", "green", "purple"))
    angle = rng.uniform(0, 2 * np.pi)
    outline = wobbly(rng, x, y, r, rng.uniform(0.01, 0.05), rng.uniform(1, 1.35), angle)
    skin = texture(rng, n, colour, str(rng.choice(["mottled", "grainy", "striped"])))
    px, py = coords(n)
    dx, dy = px + np.float32(n / 2 - x), py + np.float32(n / 2 - y)
    tip = np.array([np.cos(angle), np.sin(angle)]) * r * rng.uniform(0.6, 1.0)
    theta = np.arctan2(dy - np.float32(tip[1]), dx - np.float32(tip[0]))
    ribs = np.sin(theta * np.float32(rng.integers(14, 60)) + 2 * smooth(rng, n, 4))
    skin = skin * (1 + ribs * np.float32(rng.uniform(0.01, 0.09)))[..., None]
    skin = skin * (1 + smooth(rng, n, log_uniform(rng, 3, 10)) * np.float32(rng.uniform(0, 0.12)))[..., None]
    if chance(rng, 0.7):  # the base where it grew: larger than most defects, of another stuff
        bx, by = x - tip[0] * rng.uniform(0.3, 0.9), y - tip[1] * rng.uniform(0.3, 0.9)
        base = blur(fill(n, wobbly(rng, bx, by, r * rng.uniform(0.3, 0.7), 0.1)), 0.5 + n / 90 * rng.random())
        pale = np.clip(np.multiply(colour, rng.uniform(1.1, 1.9)) + 0.03, 0, 0.95)
        rough = tint(1 + 0.12 * fractal(rng, n, n / rng.uniform(4, 12), 3), pale)
        skin = mix(skin, rough, base)
    s.add([outline], np.clip(skin, 0, 1), Finish(r * rng.uniform(0.4, 0.95), 0.45, rng.uniform(0, 0.5), 8))
    if chance(rng, 0.5):  # window light on a smooth shell
        gx, gy = x + r * rng.uniform(-0.5, 0.5), y + r * rng.uniform(-0.5, 0.5)
        shine = blur(fill(n, wobbly(rng, gx, gy, r * rng.uniform(0.05, 0.25), 0.2, 2.0, rng.uniform(0, 3))), n / 150)
        s.image = mix(s.image, np.full(3, 0.97), shine * s.mask * np.float32(rng.uniform(0.3, 0.9)))
    return s.scene(str(rng.choice(["hazelnut", "nut", "chestnut", "seed", "almond", "plum"])), name)


def bolt(n: int, rng: Rng) -> Scene:
    """Fine thread, shank, head with a drive, washers: every part repeats itself or stands alone, rightly."""
    s = Stage(rng, n, structured_ground(rng, n) if chance(rng, 0.3) else None)
    x, y, r = place(rng, n, 0.36, 0.48)
    angle = rng.uniform(0, 2 * np.pi)
    half = r * rng.uniform(0.1, 0.22)
    round_ = barrel(n, x, y, angle, half, rng)
    metal = texture(rng, n, metal_colour(rng), "metal") * round_[..., None]
    along, _ = coords(n, angle)
    along = along + np.float32(n / 2 * (np.cos(angle) + np.sin(angle)) - x * np.cos(angle) - y * np.sin(angle))
    pitch = r * rng.uniform(0.04, 0.11)
    wave = np.sin((along + 0.3 * coords(n, angle)[1]) * np.float32(2 * np.pi / pitch))
    threaded = step(along, -r * rng.uniform(0.0, 0.7), 2.0)
    metal = metal * (1 + wave * threaded * np.float32(rng.uniform(0.12, 0.4)))[..., None]
    c, sn = float(np.cos(angle)), float(np.sin(angle))
    s.add([box(x, y, 1.8 * r, 2 * half, angle, half * 0.3)], np.clip(metal, 0, 1), Finish(2, 0.4, 0.3), "shank")
    hx, hy = x - c * r * 0.9, y - sn * r * 0.9
    head = box(hx, hy, r * 0.3, half * rng.uniform(3, 4.4), angle, half * rng.uniform(0, 0.8))
    s.add([head], texture(rng, n, metal_colour(rng), "metal"), Finish(half * 0.5, 0.6, 0.4), "head")
    for k in range(int(rng.integers(0, 3))):
        at = -0.6 + 0.1 * k
        ring = box(x + c * r * at, y + sn * r * at, r * 0.06, half * rng.uniform(2.6, 3.4), angle, 2)
        s.add([ring], metal_colour(rng), Finish(2, 0.5, 0.4), "washer")
    return s.scene(str(rng.choice(["bolt", "threaded rod", "screw", "spark plug"])), "", grain=angle, period=pitch)


def insulator(n: int, rng: Rng) -> Scene:
    """A string of equal discs with end fittings before sky, trees or steelwork."""
    ground = np.clip(
        tint(1 + fractal(rng, n, log_uniform(rng, 2, 20), 5, 0.65) * np.float32(rng.uniform(0.02, 0.4)), pick(rng)[1]),
        0,
        1,
    )
    for _ in range(int(rng.integers(0, 5))):  # beams and wires behind
        a, at = rng.uniform(0, np.pi), rng.uniform(0, n, 2)
        line = box(at[0], at[1], 2 * n, n * log_uniform(rng, 0.004, 0.04), a)
        ground = mix(ground, vary(rng, (0.4, 0.4, 0.42)), fill(n, line))
    s = Stage(rng, n, ground)
    angle, count = rng.uniform(0, np.pi), int(rng.integers(5, 16))
    c, sn = float(np.cos(angle)), float(np.sin(angle))
    length = n * rng.uniform(0.6, 0.9)
    pitch, wide = length / count, length / count * rng.uniform(1.3, 3.2)
    name, colour = pick(rng, ("brown", "dark brown", "white", "grey", "red", "light blue", "green"))
    s.add([box(n / 2, n / 2, length * 1.15, pitch * 0.5, angle)], metal_colour(rng), Finish(pitch * 0.2, 0.5, 0.3))
    skin = texture(rng, n, colour, "matt")
    under = s.image.copy()
    for k in range(count):
        t = (k - (count - 1) / 2) * pitch
        disc = ellipse(n / 2 + c * t, n / 2 + sn * t, pitch * rng.uniform(0.42, 0.48), wide / 2, angle, 40)
        s.add([disc], skin, Finish(pitch * 0.3, 0.5, rng.uniform(0.1, 0.5), shadow=0.1), "disc", under)
    return s.scene(str(rng.choice(["insulator", "insulator string", "stack of discs"])), name, period=pitch)


def pads(n: int, rng: Rng) -> Scene:
    """A bare board close by: pads, drill holes, trace ends, silkscreen, a fiducial: sparse, unequal and right."""
    mask = np.asarray(vary(rng, ((0.05, 0.3, 0.14), (0.05, 0.16, 0.42), (0.1, 0.1, 0.1))[int(rng.integers(3))]))
    s = Stage(rng, n, tint(1 + 0.06 * fractal(rng, n, 8, 3) + 0.01 * white(rng, n, n), mask))
    u = n / rng.uniform(5, 14)
    copper = np.clip(mask * rng.uniform(1.3, 1.8) + 0.04, 0, 1)
    bare = s.image.copy()
    for _ in range(int(rng.integers(3, 12))):
        start = np.round(rng.uniform(0, n, 2) / u) * u
        path = [start]
        for _ in range(int(rng.integers(1, 4))):
            a = rng.integers(8) * np.pi / 4
            path.append(path[-1] + np.array([np.cos(a), np.sin(a)]) * u * rng.integers(1, 5))
        s.image = mix(s.image, copper, stroke(n, np.array(path), u * rng.uniform(0.1, 0.35)))
        for end in (path[0], path[-1]):
            ring = [ellipse(end[0], end[1], u * 0.36, k=30), ellipse(end[0], end[1], u * 0.16, k=20)]
            s.add(ring, metal_colour(rng), Finish(1.5, 0.4, 0.3, shadow=0), "pad", bare)
            s.image = mix(s.image, (0.04, 0.04, 0.04), fill(n, ellipse(end[0], end[1], u * 0.15, k=20)))
    silk = np.zeros((n, n), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        at = rng.uniform(0.1, 0.9, 2) * n
        silk = np.maximum(silk, text(rng, n, at[0], at[1], u * rng.uniform(0.3, 0.6), words(rng, 3)))
        silk = np.maximum(silk, stroke(n, box(at[0], at[1], u * 2, u * 1.4, 0), rng.uniform(1, 2.5), closed=True))
    s.image = mix(s.image, (0.9, 0.9, 0.88), silk * 0.85)
    scene = s.scene("circuit board", "green", silk if silk.max() > 0 else None, period=u)
    scene.where = np.ones((n, n), bool)
    return scene
