"""Objects with an axis: screw, capsule, pill, toothbrush, zipper, connector, tool."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, chance
from .paint import Finish, box, ellipse, fill, mix, text, turn, words
from .palette import pick, vary
from .scene import Scene
from .stage import Stage, metal_colour, place, spin, texture


def _lay(points: Array, x: float, y: float, angle: float) -> Array:
    return turn(points, angle) + (x, y)


def screw(n: int, rng: Rng) -> Scene:
    """Screw or bolt lying on its side: head, shank, thread, tip."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.38, 0.48)
    a = rng.uniform(0, 2 * np.pi)
    w = r * rng.uniform(0.1, 0.22)
    metal = texture(rng, n, metal_colour(rng), "grainy")
    pitch = w * rng.uniform(0.35, 0.8)
    start = rng.uniform(-0.75, 0.0) * r
    along = np.arange(start, r * 0.9, pitch / 2)
    tooth = w * rng.uniform(0.8, 0.9)
    side = np.where(np.arange(len(along)) % 2 == 0, w, tooth)
    taper = np.clip((r - along) / (r * rng.uniform(0.02, 0.25)), 0.15, 1)
    up = np.stack([along, -side * taper], 1)
    down = np.stack([along + pitch / 2, side * taper], 1)[::-1]
    shank = np.concatenate(
        [[[-0.8 * r, -w * 0.9], [start, -w * 0.9]], up, [[r, 0.0]], down, [[start, w * 0.9], [-0.8 * r, w * 0.9]]]
    )
    s.add([_lay(shank, x, y, a)], metal, Finish(w * 0.9, 0.55, 0.3))
    for c in along[::2]:
        ridge = np.array(
            [[c, -w * 0.95], [c + pitch * 0.22, -w * 0.95], [c + pitch * 0.75, w * 0.95], [c + pitch * 0.5, w * 0.95]]
        )
        ridge[:, 1] *= float(np.interp(c, along, taper))
        s.image = mix(s.image, np.multiply(s.image, rng.uniform(0.35, 0.6)), fill(n, _lay(ridge, x, y, a)))
    big = w * rng.uniform(1.6, 2.3)
    if chance(rng, 0.5):
        head = np.array(
            [[-0.98 * r, -big], [-0.85 * r, -big], [-0.68 * r, -w], [-0.68 * r, w], [-0.85 * r, big], [-0.98 * r, big]]
        )
    else:
        head = box(-0.86 * r, 0, r * 0.24, big * 2, 0, w * 0.2)
    s.add([_lay(head, x, y, a)], metal, Finish(w * 0.4, 0.6, 0.35))
    return s.scene(str(rng.choice(["screw", "bolt", "metal screw"])), period=pitch, grain=a)


def capsule(n: int, rng: Rng) -> Scene:
    """A two-coloured medicine capsule with an imprint."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.36, 0.46)
    a = spin(rng)
    w = r * rng.uniform(0.33, 0.45)
    (name, left), (_, right) = pick(rng), pick(rng)
    whole = ellipse(0, 0, r, w, 0, 90, 3.2)
    join = r * rng.uniform(-0.1, 0.3)
    skin = np.clip(
        np.where(_side(n, x, y, a, join)[..., None], np.asarray(left, np.float32), np.asarray(right, np.float32)), 0, 1
    )
    s.add([_lay(whole, x, y, a)], skin * texture(rng, n, (1, 1, 1), "matt"), Finish(w * 0.9, 0.45, 0.5, 25))
    cap_ = np.stack([np.clip(whole[:, 0], -r, join), whole[:, 1] * 1.05], 1)
    s.add([_lay(cap_, x, y, a)], texture(rng, n, left, "matt"), Finish(w * 0.9, 0.45, 0.5, 25, 0.2, 1))
    prints = np.zeros((n, n), np.float32)
    for at in (-0.45, 0.5):
        if chance(rng, 0.7):
            cx, cy = turn(np.array([at * r, 0.0]), a) + (x, y)
            prints = np.maximum(
                prints, text(rng, n, cx, cy, w * rng.uniform(0.3, 0.6), words(rng, int(rng.integers(2, 5))), a)
            )
    prints *= fill(n, _lay(whole * 0.93, x, y, a))
    s.image = mix(s.image, (0.95, 0.95, 0.95) if sum(left) < 1.2 else (0.15, 0.12, 0.12), prints * 0.85)
    return s.scene("capsule", name, prints if prints.max() > 0 else None)


def _side(n: int, x: float, y: float, angle: float, at: float) -> Array:
    px, py = (
        np.arange(n, dtype=np.float32)[None, :] - np.float32(x),
        np.arange(n, dtype=np.float32)[:, None] - np.float32(y),
    )
    return px * np.float32(np.cos(angle)) + py * np.float32(np.sin(angle)) < at


def pill(n: int, rng: Rng) -> Scene:
    """A tablet with an imprint or a score line, plain or speckled."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.32, 0.46)
    a = spin(rng)
    name, colour = pick(
        rng, ("white", "white", "cream", "pink", "yellow", "light blue", "orange", "beige", "light green", "red")
    )
    skin = texture(rng, n, colour, "matt")
    if chance(rng, 0.4):
        specks = (rng.random((n // 3 + 1, n // 3 + 1)) > 0.97).astype(np.float32)
        specks = np.kron(specks, np.ones((3, 3), np.float32))[:n, :n]
        skin = mix(skin, pick(rng)[1], specks * np.float32(rng.uniform(0.3, 0.8)))
    outline = ellipse(x, y, r, r * (rng.uniform(0.45, 1.0) if chance(rng, 0.6) else 1.0), a, 90, rng.uniform(2, 3))
    s.add([outline], skin, Finish(r * rng.uniform(0.15, 0.5), 0.4, 0.15))
    prints = (
        text(rng, n, x, y, r * rng.uniform(0.2, 0.45), words(rng, int(rng.integers(1, 4))), a)
        if chance(rng, 0.7)
        else None
    )
    if prints is not None:
        prints = prints * (fill(n, outline) > 0.5)
        s.image *= (1 - prints * np.float32(rng.uniform(0.15, 0.5)))[..., None]
        s.image += (np.roll(prints, (1, 1), (0, 1)) * np.float32(0.08) * s.mask)[..., None]
    else:
        s.image *= (1 - 0.35 * fill(n, box(x, y, r * 0.08, r * 1.6, a)) * s.mask)[..., None]
    return s.scene(str(rng.choice(["pill", "tablet"])), name, prints)


def toothbrush(n: int, rng: Rng) -> Scene:
    """Rows of bristle tufts on a plastic head."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.4, 0.47)
    name, colour = pick(rng)
    a = float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.03)
    w = r * rng.uniform(0.35, 0.55)
    s.add([ellipse(x, y, r, w, a, 90, 2.6)], texture(rng, n, colour, "matt"), Finish(w * 0.3, 0.4, 0.3))
    rows, cols = int(rng.integers(3, 6)), int(rng.integers(7, 14))
    hues = [vary(rng, c) for c in (pick(rng)[1], pick(rng, ("white", "cream", "light blue"))[1])]
    under = s.image.copy()
    dot = min(w / rows, r / cols) * 0.85
    for i in range(rows):
        for j in range(cols):
            px, py = (j - (cols - 1) / 2) * 1.75 * r / cols, (i - (rows - 1) / 2) * 1.55 * w / rows
            if (px / r) ** 2 + (py / w) ** 2 < 0.8:
                cx, cy = turn(np.array([px, py]), a) + (x, y) + rng.normal(0, dot * 0.06, 2)
                hue = np.multiply(hues[(i + j) % 2 if rows % 2 else min(i, rows - 1 - i) % 2], rng.uniform(0.9, 1.05))
                s.add(
                    [ellipse(cx, cy, dot, dot * 0.85, a, 18)],
                    hue,
                    Finish(dot, 0.35, 0.1, shadow=0.4, reach=1.5),
                    "tuft",
                    under,
                )
    return s.scene(str(rng.choice(["toothbrush", "brush"])), name, period=1.75 * r / cols)


def zipper(n: int, rng: Rng) -> Scene:
    """Interlocking teeth between two cloth tapes."""
    name, cloth = pick(rng)
    s = Stage(rng, n, texture(rng, n, cloth, "matt"))
    yy = np.arange(n, dtype=np.float32)
    k = np.float32(2 * np.pi / (rng.uniform(2.5, 5) * n / 215))
    s.image *= (1 + 0.12 * np.sin(yy * k)[:, None] * np.sin(yy * k)[None, :])[..., None]
    s.image = np.clip(s.image, 0, 1).astype(np.float32)
    metal = texture(rng, n, metal_colour(rng) if chance(rng, 0.6) else vary(rng, cloth, 0.2), "grainy")
    pitch, x = n / rng.uniform(12, 32), n / 2 + rng.normal(0, n * 0.05)
    w = n * rng.uniform(0.08, 0.18)
    band = fill(n, box(x, n / 2, w * 2.6, n + 20))
    s.image *= (1 - 0.25 * band)[..., None]
    under = s.image.copy()
    for j, y in enumerate(np.arange(-pitch, n + pitch, pitch / 2)):
        shift = w * (0.35 if j % 2 else -0.35)
        s.add(
            [box(x + shift, y, w * 1.1, pitch * 0.42, 0, pitch * 0.15)],
            metal,
            Finish(pitch * 0.2, 0.6, 0.3, reach=1.5),
            "tooth",
            under,
        )
    scene = s.scene(str(rng.choice(["zipper", "zip fastener"])), name, grain=np.pi / 2, period=pitch / 2)
    scene.where = np.ones((n, n), bool)
    return scene


def tool(n: int, rng: Rng) -> Scene:
    """Pen, key, hinge, spring-like clip: a long body with bands, holes and end pieces."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.38, 0.48)
    a = rng.uniform(0, np.pi)
    name, colour = pick(rng)
    w = r * rng.uniform(0.12, 0.35)
    skin = texture(rng, n, colour, str(rng.choice(["matt", "metal", "grainy"])))
    pieces = int(rng.integers(2, 6))
    cuts = np.sort(np.concatenate([[-r, r], rng.uniform(-r, r, pieces - 1)]))
    for k in range(pieces):
        width = w * (1 if k % 2 else rng.uniform(0.5, 1.4))
        shade = skin if k % 2 else texture(rng, n, pick(rng)[1] if chance(rng, 0.4) else metal_colour(rng), "matt")
        length = cuts[k + 1] - cuts[k]
        outline = _lay(
            box(
                (cuts[k] + cuts[k + 1]) / 2,
                0,
                max(length, 4),
                width * 2,
                0,
                min(width, length / 2) * rng.uniform(0, 0.9),
            ),
            x,
            y,
            a,
        )
        mid = turn(np.array([(cuts[k] + cuts[k + 1]) / 2, 0.0]), a) + (x, y)
        holes = [ellipse(mid[0], mid[1], width * 0.4)] if chance(rng, 0.25) and length > width else []
        s.add([outline, *holes], shade, Finish(max(3.0, width * rng.uniform(0.2, 1)), 0.5, 0.35), "piece" if k else "")
    return s.scene(str(rng.choice(["tool", "pen", "plastic part", "metal part", "handle", "hinge"])), name)


def connector(n: int, rng: Rng) -> Scene:
    """A plug or terminal housing with rows of contacts."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.36, 0.46)
    a = float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.03)
    name, colour = pick(rng)
    h = r * rng.uniform(0.35, 0.8)
    s.add(
        [_lay(box(0, 0, 2 * r, 2 * h, 0, r * 0.1), x, y, a)],
        texture(rng, n, colour, "matt"),
        Finish(r * 0.06, 0.5, 0.2),
    )
    rows, cols = int(rng.integers(1, 4)), int(rng.integers(3, 11))
    px, py = 1.75 * r / cols, 1.7 * h / rows
    metal = texture(rng, n, metal_colour(rng), "metal")
    for i in range(rows):
        for j in range(cols):
            at = turn(np.array([(j - (cols - 1) / 2) * px, (i - (rows - 1) / 2) * py]), a) + (x, y)
            s.add(
                [_lay(box(0, 0, px * 0.68, py * 0.62, 0, 1), at[0], at[1], a)],
                np.multiply(colour, 0.15),
                Finish(2, -0.5, 0, shadow=0),
            )
    under = s.image.copy()
    for i in range(rows):
        for j in range(cols):
            at = turn(np.array([(j - (cols - 1) / 2) * px, (i - (rows - 1) / 2) * py]), a) + (x, y)
            s.add(
                [_lay(box(0, 0, px * 0.3, py * 0.36, 0, 1), at[0], at[1], a)],
                metal,
                Finish(2, 0.6, 0.3, reach=1),
                "contact",
                under,
            )
    return s.scene(str(rng.choice(["connector", "plug", "terminal block", "socket"])), name, period=px)
