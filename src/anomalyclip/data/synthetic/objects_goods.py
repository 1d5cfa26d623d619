"""Goods as shops have them: food, and vials seen from the side."""

from __future__ import annotations

import numpy as np

from .noise import Rng, chance
from .paint import Finish, barrel, box, fill, mix, text, wobbly, words
from .palette import COLOURS, pick, vary
from .scene import Scene
from .stage import Stage, place, spin, texture


def food(n: int, rng: Rng) -> Scene:
    """Nuts, seeds, fruit, biscuits: irregular rounded bodies."""

    s = Stage(rng, n)
    x, y, r = place(rng, n, 0.3, 0.45)
    subject = str(
        rng.choice(
            ["hazelnut", "potato", "almond", "cookie", "macaron", "apple", "bean", "olive", "seed", "bread roll"]
        )
    )
    name, colour = pick(rng, ("brown", "dark brown", "beige", "orange", "red", "green", "yellow", "cream", "purple"))
    kind = str(rng.choice(["mottled", "grainy", "striped"]))
    long = rng.uniform(1, 1.7)
    s.add(
        [wobbly(rng, x, y, r / np.sqrt(long), rng.uniform(0.01, 0.1), long, spin(rng))],
        texture(rng, n, colour, kind),
        Finish(r * rng.uniform(0.3, 0.95), 0.45, rng.uniform(0, 0.25)),
    )
    if chance(rng, 0.5):  # stalk end, chips or seeds: part of the thing
        tone = vary(rng, np.multiply(colour, rng.uniform(0.4, 1.5)).clip(0, 1).tolist(), 0.1)
        for _ in range(1 if chance(rng, 0.6) else int(rng.integers(4, 14))):
            bx, by = x + rng.normal(0, 0.3) * r, y + rng.normal(0, 0.3) * r
            s.add(
                [wobbly(rng, bx, by, r * rng.uniform(0.05, 0.2), 0.2)],
                texture(rng, n, tone, "grainy"),
                Finish(3, 0.3, 0.05, shadow=0.1, reach=1),
            )
    return s.scene(subject, name)


def bottle_side(n: int, rng: Rng) -> Scene:
    """A bottle, vial, tube or can from the side, with neck, cap, liquid and label."""
    s = Stage(rng, n)
    x, _, _ = place(rng, n)
    w, h = n * rng.uniform(0.14, 0.27), n * rng.uniform(0.36, 0.46)
    name, colour = pick(rng)
    y = n / 2
    round_ = barrel(n, x, y, np.pi / 2, w, rng)
    neck = w * rng.uniform(0.3, 0.7)
    shoulder = y - h * rng.uniform(0.3, 0.65)
    half = np.array(
        [
            [neck, y - h * 0.85],
            [neck, shoulder - w * 0.35],
            [w * 0.85, shoulder + w * 0.05],
            [w, shoulder + w * 0.4],
            [w, y + h * 0.95],
            [w * 0.9, y + h],
        ]
    )
    outline = np.concatenate([half * (1, 1) + (x, 0), half[::-1] * (-1, 1) + (x, 0)])
    s.add([outline], texture(rng, n, colour, "matt") * round_[..., None], Finish(3, 0.4, 0.15, 14))
    if chance(rng, 0.5):
        level = y - h * rng.uniform(-0.3, 0.4)
        s.image *= (1 - 0.35 * fill(n, box(x, (level + y + h) / 2, 2 * w, y + h - level)) * s.mask)[..., None]
    s.add(
        [box(x, y - h * 0.88, neck * 2.5, h * rng.uniform(0.12, 0.25), 0, 3)],
        COLOURS[str(rng.choice(list(COLOURS)))],
        Finish(neck * 0.8, 0.4, 0.3),
        "cap",
    )
    prints = None
    if chance(rng, 0.7):
        ly, lh = y + h * rng.uniform(0.1, 0.5), h * rng.uniform(0.4, 0.8)
        paper = vary(rng, pick(rng, ("white", "cream", "yellow", "light blue", "red"))[1])
        s.add(
            [box(x, ly, w * 1.98, lh)],
            texture(rng, n, paper, "matt") * (0.5 + 0.5 * round_)[..., None],
            Finish(0, 0.4, 0.1, shadow=0),
            "label",
        )
        prints = np.zeros((n, n), np.float32)
        for k in range(int(rng.integers(1, 4))):
            prints = np.maximum(
                prints,
                text(
                    rng, n, x, ly + lh * (k - 1) * 0.28, lh * rng.uniform(0.1, 0.2), words(rng, int(rng.integers(2, 7)))
                ),
            )
        prints *= fill(n, box(x, ly, w * 1.9, lh))
        s.image = mix(
            s.image, pick(rng, ("black", "dark blue", "dark red"))[1] if sum(paper) > 1.3 else (1, 1, 1), prints * 0.9
        )
    return s.scene(str(rng.choice(["bottle", "vial", "ampoule", "tube", "can"])), name, prints)
