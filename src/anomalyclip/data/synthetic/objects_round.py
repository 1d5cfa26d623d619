"""Objects seen along their axis: bottle top, nut, washer, gear, cap, button, cable, wheel, lens, bearing, candle."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

import numpy as np

from .noise import Rng, chance, coords, step
from .paint import Finish, ellipse, fill, mix, regular, text, turn, words
from .palette import COLOURS, pick, vary
from .scene import Scene
from .stage import Stage, metal_colour, place, spin, texture


def bottle(n: int, rng: Rng) -> Scene:
    """A bottle from above: bright concentric rings around a dark mouth."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.36, 0.47)
    name, glass = pick(rng, ("brown", "dark brown", "green", "dark green", "black", "light blue", "dark grey"))
    px, py = coords(n)
    d = np.sqrt((px + n / 2 - np.float32(x)) ** 2 + (py + n / 2 - np.float32(y)) ** 2) / np.float32(r)
    theta = np.arctan2(py + n / 2 - np.float32(y), px + n / 2 - np.float32(x))
    s.add([ellipse(x, y, r)], glass, Finish(r * 0.1, 0.4, 0.3, 12))
    edge = rng.uniform(0.45, 0.8)
    rings = np.sort(rng.uniform(0.3, 1.0, int(rng.integers(3, 9))))
    value = np.zeros((n, n), np.float32)
    for c in rings:
        arc = 0.6 + 0.4 * np.cos(theta * rng.integers(1, 4) + rng.uniform(0, 6))
        value += np.exp(-(((d - c) / rng.uniform(0.006, 0.04)) ** 2)) * np.float32(rng.uniform(-0.4, 0.9)) * arc
    s.image += (value * s.mask)[..., None] * np.asarray(vary(rng, (0.8, 0.75, 0.65), 0.2), np.float32)
    hole = step(-d, -edge * rng.uniform(0.5, 0.95), 0.03)
    s.image = mix(s.image, np.multiply(glass, rng.uniform(0.1, 0.6)), hole * 0.9)
    glow = (
        np.exp(-(((d - 0.25) / 0.2) ** 2))
        * np.clip(np.cos(theta - rng.uniform(0, 6)), 0, 1)
        * np.float32(rng.uniform(0, 0.3))
    )
    s.image += (glow * hole)[..., None]
    return s.scene(str(rng.choice(["bottle", "bottle seen from above", "jar"])), name)


def nut(n: int, rng: Rng) -> Scene:
    """Hexagonal or winged nut with a threaded bore."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.3, 0.42)
    metal = texture(rng, n, metal_colour(rng), "metal" if chance(rng, 0.5) else "grainy")
    a = spin(rng)
    kind = int(rng.integers(3))
    if kind == 0:
        outline = regular(x, y, r, 6, a)
    elif kind == 1:  # four wings
        t = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        rad = r * (0.75 + 0.25 * np.tanh(3 * np.cos(4 * t)))
        outline = turn(np.stack([rad * np.cos(t), rad * np.sin(t)], 1), a) + (x, y)
    else:
        outline = ellipse(x, y, r, k=90)
    bore = r * rng.uniform(0.35, 0.55)
    s.add([outline, ellipse(x, y, bore)], metal, Finish(r * rng.uniform(0.08, 0.2), 0.6, 0.25))
    for k in range(int(rng.integers(0, 4))):  # thread
        ring = fill(n, ellipse(x, y, bore * (1 - 0.06 * k)), ellipse(x, y, bore * (0.95 - 0.06 * k)))
        s.image = mix(s.image, np.full(3, 0.15 + 0.3 * (k % 2)), ring)
    return s.scene({0: "hexagonal nut", 1: "metal nut", 2: "threaded ring"}[kind])


def washer(n: int, rng: Rng) -> Scene:
    """Washer, O-ring or gasket."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.25, 0.45)
    subject = str(rng.choice(["washer", "rubber ring", "gasket"]))
    name, colour = (
        pick(rng, ("black", "dark grey", "red", "green")) if subject == "rubber ring" else ("", metal_colour(rng))
    )
    inner = r * rng.uniform(0.35, 0.85)
    squash = rng.uniform(0.85, 1) if chance(rng, 0.3) else 1.0
    holes = [ellipse(x, y, inner, inner * squash)]
    if subject == "gasket":
        a0, k = rng.uniform(0, 6), int(rng.integers(3, 9))
        mid = (inner + r) / 2
        holes += [
            ellipse(x + mid * np.cos(a0 + t), y + mid * np.sin(a0 + t) * squash, (r - inner) * 0.2)
            for t in np.arange(k) * 2 * np.pi / k
        ]
    bevel = (r - inner) * (0.5 if subject == "rubber ring" else 0.12)
    s.add(
        [ellipse(x, y, r, r * squash, k=90), *holes],
        texture(rng, n, colour, "metal" if subject == "washer" else "matt"),
        Finish(max(2, bevel), 0.6, 0.3),
    )
    return s.scene(subject, name)


def gear(n: int, rng: Rng) -> Scene:
    """Toothed wheel with hub, spokes or holes."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.32, 0.46)
    teeth = int(rng.integers(9, 40))
    t = np.linspace(0, 2 * np.pi, teeth * 12, endpoint=False)
    rad = r * (1 - 0.5 * rng.uniform(0.1, 0.22) * (1 + np.tanh(4 * np.cos(teeth * t))))
    outline = turn(np.stack([rad * np.cos(t), rad * np.sin(t)], 1), spin(rng)) + (x, y)
    name, colour = ("", metal_colour(rng)) if chance(rng, 0.6) else pick(rng)
    holes = [ellipse(x, y, r * rng.uniform(0.08, 0.25))]
    if chance(rng, 0.5):
        k, a0 = int(rng.integers(3, 8)), rng.uniform(0, 6)
        holes += [
            ellipse(x + 0.52 * r * np.cos(a), y + 0.52 * r * np.sin(a), r * 0.12)
            for a in a0 + np.arange(k) * 2 * np.pi / k
        ]
    s.add(
        [outline, *holes],
        texture(rng, n, colour, str(rng.choice(["metal", "matt", "grainy"]))),
        Finish(r * 0.06, 0.6, 0.2),
    )
    return s.scene(str(rng.choice(["gear", "cogwheel", "sprocket"])), name)


def cap(n: int, rng: Rng) -> Scene:
    """Bottle cap, button, coin, plate: a disc with rim, ribs, holes or lettering."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.3, 0.46)
    subject = str(rng.choice(["bottle cap", "button", "coin", "plate", "jar lid"]))
    name, colour = ("", metal_colour(rng)) if subject == "coin" else pick(rng)
    skin = texture(rng, n, colour, "metal" if subject == "coin" else "matt")
    if subject == "bottle cap":
        t = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        rad = r * (1 + 0.02 * np.cos(rng.integers(20, 60) * t))
        outline = np.stack([x + rad * np.cos(t), y + rad * np.sin(t)], 1)
    else:
        outline = ellipse(x, y, r, k=90)
    k = int(rng.integers(2, 5))
    a0 = spin(rng)
    holes = (
        [ellipse(x + r * 0.2 * np.cos(a), y + r * 0.2 * np.sin(a), r * 0.07) for a in a0 + np.arange(k) * 2 * np.pi / k]
        if subject == "button"
        else []
    )
    s.add([outline, *holes], skin, Finish(r * rng.uniform(0.06, 0.25), 0.6, 0.2))
    inner = r * rng.uniform(0.6, 0.85)
    s.add(
        [ellipse(x, y, inner), *holes],
        skin * np.float32(rng.uniform(0.85, 1.1)),
        Finish(r * 0.05, -0.6 if chance(rng, 0.6) else 0.5, 0.1, shadow=0),
    )
    prints = None
    if subject in ("bottle cap", "coin", "jar lid") and chance(rng, 0.8):
        prints = text(rng, n, x, y, r * rng.uniform(0.15, 0.45), words(rng, int(rng.integers(1, 5))), a0)
        prints *= fill(n, ellipse(x, y, inner * 0.95))
        s.image = mix(
            s.image,
            (0.95, 0.93, 0.9) if sum(colour) < 1.3 else (0.1, 0.1, 0.12),
            prints * np.float32(rng.uniform(0.4, 1)),
        )
    return s.scene(subject, name, prints)


def cable(n: int, rng: Rng) -> Scene:
    """Cross-section of a cable: insulated cores full of copper strands."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.38, 0.47)
    sheath = pick(rng, ("grey", "black", "white", "light grey", "orange", "dark grey"))[1]
    s.add([ellipse(x, y, r, k=90)], sheath, Finish(r * 0.05, 0.3, 0.1))
    s.add([ellipse(x, y, r * 0.93, k=90)], np.multiply(sheath, 0.6), Finish(3, -0.4, 0.0, shadow=0))
    cores = int(rng.choice([2, 3, 3, 4, 5, 7]))
    radius = r * {2: 0.44, 3: 0.42, 4: 0.37, 5: 0.33, 7: 0.29}[cores]
    ring = cores - 1 if cores == 7 else cores
    a0 = rng.uniform(0, 6)
    at = [
        (
            x + (r * 0.92 - radius) * np.cos(a0 + 2 * np.pi * k / ring),
            y + (r * 0.92 - radius) * np.sin(a0 + 2 * np.pi * k / ring),
        )
        for k in range(ring)
    ]
    at += [(x, y)] if cores == 7 else []
    hues = rng.permutation([c for c in COLOURS if c not in ("beige", "cream", "dark grey")])[: len(at)]
    copper = texture(rng, n, vary(rng, (0.85, 0.55, 0.38) if chance(rng, 0.75) else (0.75, 0.75, 0.75)), "grainy")
    strand = radius * rng.uniform(0.1, 0.2)
    for (cx, cy), hue in zip(at, hues, strict=False):
        before = s.image.copy()
        s.add([ellipse(cx, cy, radius)], vary(rng, COLOURS[str(hue)]), Finish(radius * 0.18, 0.5, 0.25), "wire", before)
        s.image = mix(s.image, (0.2, 0.12, 0.08), fill(n, ellipse(cx, cy, radius * 0.66)))
        for dx, dy in _packed(radius * 0.62, strand, rng):
            s.add(
                [ellipse(cx + dx, cy + dy, strand, k=14)],
                copper * np.float32(rng.uniform(0.8, 1.15)),
                Finish(strand, 0.5, 0.3, shadow=0),
            )
    return s.scene(str(rng.choice(["cable cross-section", "cable", "electric cable"])))


def _packed(radius: float, dot: float, rng: Rng) -> list[tuple[float, float]]:
    """Centres of a hexagonal packing of dots within a circle, a little disordered."""
    k = int(radius / dot) + 1
    spots = []
    for i in range(-k, k + 1):
        for j in range(-k, k + 1):
            px, py = (2 * i + j) * dot * 0.97, j * dot * 1.70
            if np.hypot(px, py) < radius - dot * 0.6:
                spots.append((px + rng.normal(0, dot * 0.1), py + rng.normal(0, dot * 0.1)))
    return spots


def bearing(n: int, rng: Rng) -> Scene:
    """Ball bearing, fan, wheel: equal elements around an axis."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.34, 0.46)
    metal = texture(rng, n, metal_colour(rng), "metal")
    subject = str(rng.choice(["ball bearing", "wheel", "fan", "flower-shaped knob"]))
    k, a0 = int(rng.integers(5, 13)), rng.uniform(0, 6)
    s.add([ellipse(x, y, r, k=90)], metal, Finish(r * 0.06, 0.5, 0.3))
    s.add([ellipse(x, y, r * 0.85), ellipse(x, y, r * 0.5)], metal * 0.35, Finish(3, -0.6, 0.0, shadow=0))
    under = s.image.copy()
    for a in a0 + np.arange(k) * 2 * np.pi / k:
        cx, cy = x + r * 0.675 * np.cos(a), y + r * 0.675 * np.sin(a)
        if subject == "ball bearing":
            s.add([ellipse(cx, cy, min(r * 0.17, r * 1.9 / k))], metal, Finish(r * 0.17, 0.6, 0.7, 30), "ball", under)
        else:
            s.add(
                [ellipse(cx, cy, r * 0.165, r * 0.9 / k, a)],
                pick(rng)[1] if chance(rng, 0.0) else metal * 0.8,
                Finish(r * 0.06, 0.6, 0.2),
                "blade",
                under,
            )
    s.add([ellipse(x, y, r * 0.5), ellipse(x, y, r * 0.3)], metal, Finish(r * 0.05, 0.5, 0.3, shadow=0))
    return s.scene(subject)


def candle(n: int, rng: Rng) -> Scene:
    """Candle or lamp from above: wax disc and wick, or a lens with reflections."""
    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.28, 0.46)
    name, colour = pick(rng)
    subject = str(rng.choice(["candle", "lens", "ball"]))
    s.add(
        [ellipse(x, y, r, k=90)],
        texture(rng, n, colour, "matt"),
        Finish(r * (1.0 if subject != "candle" else 0.15), 0.45, 0.4 if subject != "candle" else 0.1, 25),
    )
    if subject == "candle":
        s.add(
            [ellipse(x, y, r * 0.86)],
            texture(rng, n, np.multiply(colour, 0.95), "matt"),
            Finish(r * 0.1, -0.4, 0.15, shadow=0),
        )
        s.add([ellipse(x, y, r * 0.06, r * 0.05)], (0.15, 0.12, 0.1), Finish(2, 0.3, 0.0), "wick")
    return s.scene(subject, name)
