"""Electronics: circuit boards, chips, transistors, wafers, batteries."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, chance, coords, fractal, smooth, step, white
from .paint import Finish, barrel, box, ellipse, fill, mix, stroke, text, tint, words
from .palette import pick, vary
from .scene import Scene, lamp
from .stage import Stage, metal_colour, place, spin, texture

_MASKS = {
    "green": (0.05, 0.30, 0.14),
    "dark green": (0.03, 0.19, 0.11),
    "blue": (0.05, 0.16, 0.42),
    "black": (0.06, 0.06, 0.07),
    "red": (0.45, 0.06, 0.06),
    "white": (0.82, 0.83, 0.8),
}


def circuit_board(n: int, rng: Rng) -> Scene:
    """Populated board: traces, vias, pads, resistors, chips, capacitors, silkscreen."""
    name = str(rng.choice(list(_MASKS), p=[0.4, 0.2, 0.15, 0.1, 0.08, 0.07]))
    mask = np.asarray(vary(rng, _MASKS[name], 0.1), np.float32)
    s = Stage(rng, n, tint(1 + 0.05 * fractal(rng, n, 8, 3), mask))
    u = n / rng.uniform(10, 26)  # the board's module
    s.image = traces(rng, n, s.image, mask, u)
    silk = np.zeros((n, n), np.float32)
    solder = texture(rng, n, (0.75, 0.75, 0.77) if chance(rng, 0.7) else (0.8, 0.65, 0.35), "grainy")
    taken = np.zeros((n, n), bool)
    for _ in range(int(rng.integers(8, 34))):
        w, h = (
            u * v
            for v in ((1.6, 0.8), (1.6, 0.8), (2.4, 1.2), (4.5, 4.5), (5.0, 3.0), (2.2, 2.2))[int(rng.integers(6))]
        )
        x, y = (np.round(rng.uniform(0, n, 2) / u) * u).tolist()
        turned = chance(rng, 0.5)
        ww, hh = (h, w) if turned else (w, h)
        window = (
            slice(int(max(0, y - hh / 2 - u * 0.6)), int(y + hh / 2 + u * 0.6) + 1),
            slice(int(max(0, x - ww / 2 - u * 0.6)), int(x + ww / 2 + u * 0.6) + 1),
        )
        if taken[window].any():
            continue
        taken[window] = True
        component(s, x, y, w, h, np.pi / 2 if turned else 0.0, u, solder)
        if chance(rng, 0.5):
            silk = np.maximum(
                silk, text(rng, n, x, y - hh / 2 - u * 0.35, u * 0.4, words(rng, int(rng.integers(2, 4))))
            )
    s.image = mix(s.image, (0.9, 0.9, 0.88) if name != "white" else (0.1, 0.1, 0.1), silk * 0.9)
    scene = s.scene(
        str(rng.choice(["circuit board", "printed circuit board", "PCB"])),
        name,
        silk if silk.max() > 0 else None,
        period=u,
    )
    scene.where = np.ones((n, n), bool)
    return scene


def traces(rng: Rng, n: int, image: Array, mask: Array, u: float) -> Array:
    """Copper lines under the lacquer in 45-degree steps, vias at their ends, a few bare pads."""
    lines = np.zeros((n, n), np.float32)
    holes = []
    for _ in range(int(rng.integers(6, 30))):
        p = [np.round(rng.uniform(0, n, 2) / u) * u + u / 2]
        for _ in range(int(rng.integers(1, 5))):
            a = rng.integers(8) * np.pi / 4
            p.append(p[-1] + np.array([np.cos(a), np.sin(a)]) * u * rng.integers(1, 6))
        np.maximum(lines, stroke(n, np.array(p), u * rng.uniform(0.12, 0.4)), out=lines)
        holes += [p[0], p[-1]]
    image = mix(image, np.clip(mask * 1.5 + 0.05, 0, 1), lines * np.float32(rng.uniform(0.4, 1)))
    rings = fill(n, *[ellipse(hx, hy, u * 0.3, k=20) for hx, hy in holes])
    image = mix(image, (0.75, 0.68, 0.45), rings)
    return mix(image, (0.05, 0.05, 0.05), fill(n, *[ellipse(hx, hy, u * 0.13, k=12) for hx, hy in holes]))


def component(s: Stage, x: float, y: float, w: float, h: float, angle: float, u: float, solder: Array) -> None:
    """One part with its solder pads: resistor, capacitor, chip with legs, round can."""
    rng, ratio = s.rng, w / max(h, 1e-6)
    bare = s.image.copy()
    c, sn = np.cos(angle), np.sin(angle)
    if w < 2.5 * u and ratio > 1.3:  # two-pole chip
        for side in (-0.5, 0.5):
            s.add(
                [box(x + c * w * side, y + sn * w * side, w * 0.42, h * 1.12, angle, 1)],
                solder,
                Finish(2, 0.5, 0.4, reach=1),
            )
        pads = s.image.copy()
        tone = vary(
            rng, ((0.08, 0.08, 0.09), (0.55, 0.42, 0.28), (0.72, 0.6, 0.45), (0.3, 0.3, 0.32))[int(rng.integers(4))]
        )
        s.add([box(x, y, w * 0.78, h * 0.9, angle, 1)], tone, Finish(2, 0.5, 0.2, reach=1.5), "component", pads)
        return
    if ratio < 1.2 and w < 2.5 * u:
        s.add(
            [ellipse(x, y, w / 2, k=36)],
            texture(rng, s.n, metal_colour(rng), "metal"),
            Finish(w * 0.15, 0.6, 0.4),
            "capacitor",
            bare,
        )
        return
    legs = int(max(3, w / u * 1.6))
    for k in range(legs):
        for side in (-1, 1):
            dx, dy = (k - (legs - 1) / 2) * w * 0.85 / legs, side * h * 0.5
            s.add(
                [box(x + c * dx - sn * dy, y + sn * dx + c * dy, w * 0.4 / legs, h * 0.24, angle)],
                solder,
                Finish(1.5, 0.5, 0.3, reach=1, shadow=0.2),
                "pin",
                bare,
            )
    s.add([box(x, y, w, h * 0.84, angle, 1)], vary(rng, (0.09, 0.09, 0.1)), Finish(3, 0.5, 0.15), "chip", bare)
    y0, y1, x0, x1 = (int(max(0, v)) for v in (y - w, y + w + 1, x - w, x + w + 1))
    if y1 > y0 and x1 > x0:  # only the window is blended: boards carry dozens of parts
        mark = text(rng, s.n, x, y, u * 0.55, words(rng, int(rng.integers(3, 6))), angle)[y0:y1, x0:x1]
        s.image[y0:y1, x0:x1] = mix(s.image[y0:y1, x0:x1], (0.65, 0.65, 0.65), mark * 0.7)


def chip(n: int, rng: Rng) -> Scene:
    """One integrated circuit or transistor with legs, marked, on board, perforated panel or plain ground."""
    ground = None
    if chance(rng, 0.4):
        k = np.float32(2 * np.pi / (n / rng.uniform(6, 14)))
        gx, gy = coords(n)
        dots = step(np.cos(gx * k) + np.cos(gy * k), 1.2, 0.3)
        tone = vary(rng, (0.6, 0.5, 0.3))
        ground = mix(tint(1 + 0.06 * fractal(rng, n, 4, 4), tone), np.multiply(tone, 0.3), dots)
    s = Stage(rng, n, ground)
    x, y, r = place(rng, n, 0.24, 0.34)
    metal = texture(rng, n, (0.75, 0.75, 0.77), "metal")
    bare = s.image.copy()
    transistor = chance(rng, 0.45)
    a = float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.03)
    if transistor:
        for k in range(3):
            dx = (k - 1) * r * 0.55
            s.add([box(x + dx, y + r * 1.25, r * 0.14, r * 1.3)], metal, Finish(2, 0.5, 0.4), "lead", bare)
        s.add(
            [box(x, y, r * 1.7, r * 1.6, 0, r * 0.15)],
            vary(rng, (0.1, 0.1, 0.11)),
            Finish(r * 0.12, 0.5, 0.15),
            "case",
            bare,
        )
        a = 0.0
    else:
        w, h, legs = r * 1.5, r * rng.uniform(1.0, 1.5), int(rng.integers(4, 13))
        c, sn = np.cos(a), np.sin(a)
        for k in range(legs):
            for side in (-1, 1):
                dx, dy = (k - (legs - 1) / 2) * 1.85 * w / legs, side * h * 0.98
                s.add(
                    [box(x + c * dx - sn * dy, y + sn * dx + c * dy, w * 0.7 / legs, h * 0.4, a)],
                    metal,
                    Finish(2, 0.5, 0.35),
                    "pin",
                    bare,
                )
        s.add([box(x, y, 2 * w, 1.7 * h, a, 2)], vary(rng, (0.1, 0.1, 0.11)), Finish(r * 0.08, 0.5, 0.15))
        s.image *= (1 - 0.5 * fill(n, ellipse(x - c * w * 0.85, y - sn * w * 0.85, r * 0.1)))[..., None]
    prints = np.maximum(
        text(rng, n, x, y - r * 0.2, r * 0.26, words(rng, int(rng.integers(3, 7))), a),
        text(rng, n, x, y + r * 0.25, r * 0.2, words(rng, 5), a),
    )
    s.image = mix(s.image, (0.75, 0.75, 0.75), prints * np.float32(rng.uniform(0.4, 0.9)) * s.mask)
    return s.scene(
        "transistor" if transistor else str(rng.choice(["chip", "integrated circuit", "microchip"])), "black", prints
    )


def wafer(n: int, rng: Rng) -> Scene:
    """Lithographic pattern: a repeating die or test structure."""
    pitch = n / rng.uniform(2.5, 9)
    tile_n = max(12, round(pitch))
    tile = np.full((tile_n, tile_n), rng.uniform(0.2, 0.6), np.float32)
    for _ in range(int(rng.integers(4, 16))):
        x0, y0 = rng.integers(0, tile_n, 2)
        w, h = rng.integers(1, max(3, tile_n // 2), 2)
        tile[y0 : y0 + h, x0 : x0 + w] = rng.uniform(0.1, 0.9)
    tile[:1] = tile[:, :1] = rng.uniform(0, 0.3)
    value = np.tile(tile, (n // tile_n + 2, n // tile_n + 2))[:n, :n]
    tone = vary(rng, (0.8, 0.85, 0.9), 0.15)
    image = tint(value * (1 + 0.05 * smooth(rng, n, 1.5) + 0.015 * white(rng, n, n)), tone)
    return Scene(
        np.clip(image, 0, 1),
        str(rng.choice(["wafer", "semiconductor die", "lithography pattern"])),
        np.ones((n, n), bool),
        lamp(rng),
        colour="grey",
        period=pitch,
    )


def battery(n: int, rng: Rng) -> Scene:
    """Cylindrical cell, fuse, coil or cell electrode: a metal or lacquered cylinder with end caps and print."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.36, 0.46)
    a = spin(rng)
    w = r * rng.uniform(0.25, 0.4)
    name, colour = pick(rng)
    c, sn = float(np.cos(a)), float(np.sin(a))
    round_ = barrel(n, x, y, a, w, rng)
    s.add(
        [box(x, y, 2 * r, 2 * w, a, w * 0.1)],
        texture(rng, n, metal_colour(rng), "metal") * round_[..., None],
        Finish(2, 0.5, 0.2),
    )
    s.add(
        [box(x - c * r * 0.04, y - sn * r * 0.04, 1.8 * r, 2 * w, a)],
        texture(rng, n, colour, "matt") * round_[..., None],
        Finish(1.5, 0.4, 0.1, shadow=0),
        "sleeve",
    )
    s.add(
        [box(x + c * r * 1.03, y + sn * r * 1.03, r * 0.1, w * 0.7, a)],
        metal_colour(rng),
        Finish(w * 0.3, 0.5, 0.4),
        "terminal",
    )
    pick_ink = (0.95, 0.95, 0.92) if sum(colour) < 1.4 else (0.08, 0.08, 0.1)
    prints = text(rng, n, x, y, w * rng.uniform(0.3, 0.6), words(rng, int(rng.integers(4, 8))), a) * s.mask
    s.image = mix(s.image, pick_ink, prints * 0.9)
    return s.scene(str(rng.choice(["battery", "battery cell", "fuse", "capacitor"])), name, prints)
