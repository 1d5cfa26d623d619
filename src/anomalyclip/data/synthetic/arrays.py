"""Many of one thing: trays, blister packs, rows, candles in a box, assemblies of different parts, printed labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .noise import Array, Rng, chance
from .paint import Finish, box, ellipse, fill, mix, regular, stroke, text, wobbly, words
from .palette import pick, vary
from .scene import Scene
from .stage import Stage, backdrop, metal_colour, texture

Outline = Callable[[float, float, float, float], list[Array]]


def _shape(rng: Rng) -> tuple[str, Outline]:
    """A random kind of small thing: its name and its outlines at (x, y), radius r, angle a."""
    squash, power, teeth = rng.uniform(0.4, 1), rng.uniform(1.6, 5), int(rng.integers(5, 9))
    table: dict[str, Outline] = {
        "pill": lambda x, y, r, a: [ellipse(x, y, r, r * squash, a, 40, max(2, power))],
        "ball": lambda x, y, r, a: [ellipse(x, y, r, k=40)],
        "ring": lambda x, y, r, a: [ellipse(x, y, r, k=40), ellipse(x, y, r * (0.3 + 0.4 * squash), k=30)],
        "block": lambda x, y, r, a: [box(x, y, r * 2, r * 2 * squash, a, r * 0.2)],
        "nut": lambda x, y, r, a: [regular(x, y, r, 6, a), ellipse(x, y, r * 0.5, k=30)],
        "star": lambda x, y, r, a: [_star(x, y, r, a, teeth)],
        "seed": lambda x, y, r, a: [wobbly(rng, x, y, r * 0.85, 0.08, 1.0 / max(squash, 0.6), a, 40)],
    }
    name = str(rng.choice(list(table)))
    return name, table[name]


def _star(x: float, y: float, r: float, a: float, k: int) -> Array:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rad = r * (0.78 + 0.2 * np.cos(k * t))
    return np.stack([x + rad * np.cos(t + a), y + rad * np.sin(t + a)], 1)


def tray(n: int, rng: Rng) -> Scene:
    """Equal things in a regular array, upright or each at its own angle; a blister pack has pockets."""
    s = Stage(rng, n)
    rows, cols = int(rng.integers(1, 6)), int(rng.integers(2, 7))
    cell = n * rng.uniform(0.8, 1.05) / max(rows, cols)
    noun, outline = _shape(rng)
    name, colour = pick(rng)
    skin = texture(rng, n, colour, str(rng.choice(["matt", "grainy", "mottled"])))
    blister = chance(rng, 0.4)
    kind = (
        "blister pack"
        if blister
        else str(rng.choice(["tray of {}s", "row of {}s", "box of {}s", "group of {}s"])).format(noun)
    )
    a0, loose = rng.uniform(0, np.pi), chance(rng, 0.4)
    if blister or chance(rng, 0.4):
        sheet = texture(rng, n, metal_colour(rng) if blister else pick(rng)[1], "metal" if blister else "matt")
        s.add([box(n / 2, n / 2, cell * cols * 1.02, cell * rows * 1.02, 0, cell * 0.1)], sheet, Finish(3, 0.5, 0.2))
    at = [
        (n / 2 + (j - (cols - 1) / 2) * cell, n / 2 + (i - (rows - 1) / 2) * cell)
        for i in range(rows)
        for j in range(cols)
    ]
    if blister:
        for x, y in at:
            s.add([ellipse(x, y, cell * 0.42)], s.image.copy(), Finish(cell * 0.12, -0.7, 0.2, shadow=0))
    under = s.image.copy()
    for x, y in at:
        angle = rng.uniform(0, 6.3) if loose else a0
        s.add(
            outline(x + rng.normal(0, cell * 0.01), y + rng.normal(0, cell * 0.01), cell * 0.33, angle),
            skin,
            Finish(cell * 0.12, 0.5, 0.25),
            noun,
            under,
        )
    return s.scene(kind, name, period=cell)


def scatter(n: int, rng: Rng) -> Scene:
    """Like things lying about at random, some cut by the border."""
    s = Stage(rng, n)
    noun, outline = _shape(rng)
    name, colour = pick(rng)
    skin = texture(rng, n, colour, str(rng.choice(["matt", "grainy", "mottled", "metal"])))
    r = n * rng.uniform(0.05, 0.12)
    taken: list[tuple[float, float]] = []
    under = s.image.copy()
    for x, y in rng.uniform(-0.02, 1.02, (int(rng.integers(5, 40)), 2)) * n:
        if all((x - u) ** 2 + (y - v) ** 2 > (2.1 * r) ** 2 for u, v in taken):
            taken.append((x, y))
            s.add(
                outline(x, y, r * rng.uniform(0.93, 1.05), rng.uniform(0, 6.3)),
                skin,
                Finish(r * 0.5, 0.5, 0.25),
                noun,
                under,
            )
    return s.scene(f"scattered {noun}s", name, period=2 * r)


def assembly(n: int, rng: Rng) -> Scene:
    """A symmetric device: base plate, screws in the corners, modules, tubes, a label."""
    s = Stage(rng, n)
    name, colour = pick(rng)
    w, h = n * rng.uniform(0.62, 0.95), n * rng.uniform(0.5, 0.95)
    s.add(
        [box(n / 2, n / 2, w, h, 0, n * rng.uniform(0, 0.08))],
        texture(rng, n, colour, str(rng.choice(["matt", "metal", "grainy"]))),
        Finish(n * 0.02, 0.5, 0.2),
    )
    metal = texture(rng, n, metal_colour(rng), "metal")
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = n / 2 + sx * w * 0.43, n / 2 + sy * h * 0.43
            before = s.image.copy()
            s.add([ellipse(x, y, n * 0.032)], metal, Finish(n * 0.015, 0.6, 0.3), "screw", before)
            s.image *= (1 - 0.6 * fill(n, box(x, y, n * 0.045, n * 0.01, rng.uniform(0, 3))))[..., None]
    prints = np.zeros((n, n), np.float32)
    count = int(rng.integers(2, 6))
    for k in range(count):
        x = n / 2 + (k - (count - 1) / 2) * w * 0.8 / count
        y = n / 2 + h * rng.uniform(-0.24, 0.24)
        kind, size = int(rng.integers(4)), w * 0.32 / count * rng.uniform(0.7, 1.15)
        tone = vary(rng, pick(rng)[1])
        if kind == 0:
            s.add([ellipse(x, y, size)], texture(rng, n, tone, "matt"), Finish(size * 0.4, 0.5, 0.3), "knob")
        elif kind == 1:
            s.add([box(x, y, size * 2, h * 0.4, 0, 3)], texture(rng, n, tone, "matt"), Finish(4, 0.5, 0.2), "module")
        elif kind == 2:
            s.add(
                [box(x, y, size * 2, size * 1.3, 0, 1)],
                texture(rng, n, (0.9, 0.9, 0.87), "matt"),
                Finish(1, 0.2, 0, shadow=0.15),
                "label",
            )
            mark = text(rng, n, x, y, size * 0.4, words(rng, 3))
            prints = np.maximum(prints, mark)
            s.image = mix(s.image, (0.08, 0.08, 0.1), mark)
        else:
            pts = np.stack(
                [
                    np.full(16, x) + np.sin(np.linspace(0, rng.uniform(2, 7), 16)) * size * 0.6,
                    np.linspace(y - h * 0.2, y + h * 0.2, 16),
                ],
                1,
            )
            tube = stroke(n, pts, size * 0.4)
            s.image = mix(s.image * (1 - 0.3 * np.roll(tube, 2, 0))[..., None], tone, tube)
    return s.scene(
        str(rng.choice(["assembly", "device", "machine part", "control panel", "engine part"])),
        name,
        prints if prints.max() > 0 else None,
    )


def label(n: int, rng: Rng) -> Scene:
    """A printed label or package face: lettering, barcode, logo, frame, sometimes on an object."""
    s = Stage(rng, n, backdrop(rng, n))
    name, paper = pick(rng, ("white", "cream", "yellow", "light blue", "beige", "red", "dark blue", "green", "orange"))
    w, h = n * rng.uniform(0.65, 1.15), n * rng.uniform(0.5, 1.1)
    s.add([box(n / 2, n / 2, w, h, 0, n * 0.02)], texture(rng, n, paper, "matt"), Finish(2, 0.3, 0.1))
    ink = (0.08, 0.08, 0.1) if sum(paper) > 1.3 else (0.93, 0.93, 0.9)
    prints = np.zeros((n, n), np.float32)
    w, h = min(w, n), min(h, n)
    left, top = (n - w) / 2, (n - h) / 2
    if chance(rng, 0.6):  # barcode
        bw, bh = w * rng.uniform(0.3, 0.6), h * rng.uniform(0.12, 0.3)
        bx, by = int(left + w * rng.uniform(0.08, 0.3)), int(top + h * rng.uniform(0.55, 0.65))
        bars = (rng.random(int(bw / max(1.0, n / 110))) > 0.5).repeat(max(1, round(n / 110)))
        prints[by : int(by + bh), bx : bx + len(bars)] = bars.astype(np.float32)[: max(0, n - bx)]
    for k in range(int(rng.integers(2, 6))):
        high = h * rng.uniform(0.04, 0.15)
        prints = np.maximum(
            prints,
            text(
                rng,
                n,
                n / 2 + w * rng.normal(0, 0.05),
                top + h * (0.12 + 0.12 * k),
                high,
                words(rng, int(rng.integers(3, 11))),
            ),
        )
    if chance(rng, 0.5):
        logo = fill(
            n,
            ellipse(left + w * 0.8, top + h * 0.75, w * 0.1),
            regular(left + w * 0.8, top + h * 0.75, w * 0.06, int(rng.integers(3, 7)), rng.uniform(0, 6)),
        )
        s.image = mix(s.image, pick(rng)[1], logo)
    prints *= s.mask > 0.9
    s.image = mix(s.image, ink, prints * 0.92)
    return s.scene(
        str(rng.choice(["label", "printed label", "package", "box with print"])), name, prints, period=h * 0.12
    )


def stack(n: int, rng: Rng) -> Scene:
    """Parallel rods, fibres, pipes, pencils, wires side by side."""
    s = Stage(rng, n)
    pitch = n / rng.uniform(5, 22)
    angle = float(rng.choice([0.0, np.pi / 2]))
    name, colour = pick(rng)
    skin = texture(rng, n, colour, str(rng.choice(["metal", "striped", "matt"])))
    under = s.image.copy()
    for c in np.arange(-n * 0.6, n * 0.6, pitch):
        cx, cy = n / 2 + c * np.cos(angle), n / 2 + c * np.sin(angle)
        tone = skin * np.float32(rng.uniform(0.92, 1.06))
        s.add(
            [box(cx, cy, pitch * 0.94, n * 1.3, angle)], tone, Finish(pitch * 0.45, 0.5, 0.3, reach=1.5), "rod", under
        )
    return s.scene(
        str(rng.choice(["bundle of rods", "row of pipes", "stack of wires", "row of pencils"])),
        name,
        grain=angle + np.pi / 2,
        period=pitch,
    )
