"""Fabric: woven (any small weave matrix), twill and denim, knitted, carpet, non-woven felt."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, unit, white
from .paint import mix, ramp, relief, tint
from .palette import COLOURS, pick, vary
from .scene import Scene, anywhere, lamp

WEAVES: dict[str, Array] = {
    "plain": np.array([[1, 0], [0, 1]]),
    "twill": np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]]),
    "denim": np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]),
    "satin": np.array([[0, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 1, 1, 0, 1]]),
    "basket": np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]),
    "herringbone": np.array([[1, 1, 0, 0, 0, 1], [0, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 0], [1, 0, 0, 1, 0, 0]]),
    "rib": np.array([[1, 0], [1, 0], [0, 1], [0, 1]]),
}  # fmt: skip


def weave(rng: Rng, n: int, pitch_x: float, pitch_y: float, matrix: Array, uneven: float) -> tuple[Array, Array, Array]:
    """Interlaced threads: (over: 1 where the warp is on top, height in [0, 1], tone per thread about 0)."""
    x, y = coords(n)
    drift = smooth(rng, n, 2, 2) * np.float32(pitch_x * 0.15), smooth(rng, n, 2, 2) * np.float32(pitch_y * 0.15)
    u = (x + drift[0]) / np.float32(pitch_x) + np.float32(600 + rng.random())
    v = (y + drift[1]) / np.float32(pitch_y) + np.float32(600 + rng.random())
    iu, iv = u.astype(np.int32), v.astype(np.int32)
    fu, fv = u - iu, v - iv
    over = matrix[iv % matrix.shape[0], iu % matrix.shape[1]].astype(np.float32)
    warp = np.sin(np.pi * fu) * (0.55 + 0.45 * np.sin(np.pi * fv))
    weft = np.sin(np.pi * fv) * (0.55 + 0.45 * np.sin(np.pi * fu))
    height = np.where(over > 0, warp, weft)
    tones = rng.normal(0, uneven, (2, 1600)).astype(np.float32)
    tone = np.where(over > 0, tones[0][iu % 1600], tones[1][iv % 1600])
    return over, height, tone


def fabric(n: int, rng: Rng) -> Scene:
    """Woven cloth of one or two colours, fine or coarse."""
    kind = str(rng.choice(list(WEAVES), p=[0.3, 0.2, 0.1, 0.12, 0.08, 0.1, 0.1]))
    pitch = log_uniform(rng, 1.9, 9.0) * n / 215
    aspect = rng.uniform(0.7, 1.5)
    over, height, tone = weave(rng, n, pitch, pitch * aspect, WEAVES[kind], rng.uniform(0.01, 0.09))
    neutral = chance(rng, 0.55)
    level = rng.uniform(0.15, 0.65)
    name, colour = ("grey", (level, level, level)) if neutral else pick(rng)
    other = vary(rng, colour, 0.15) if chance(rng, 0.75) else pick(rng)[1]
    deep = rng.uniform(0.25, 0.85)
    hairs = white(rng, n, n) * np.float32(rng.uniform(0.01, 0.08))
    value = (
        (1 - deep + deep * 1.3 * height) * (1 + tone) + hairs + fractal(rng, n, 3, 3) * np.float32(rng.uniform(0, 0.03))
    )
    image = ramp(over, other, colour) * value[..., None]
    if chance(rng, 0.12):  # woven stripes and checks
        image = stripes(rng, n, image)
    subject = {"denim": "denim", "herringbone": "herringbone cloth"}.get(
        kind, str(rng.choice(["woven fabric", "fabric", "cloth", "textile"]))
    )
    grain = np.pi / 2 if chance(rng, 0.5) else 0.0
    return Scene(
        np.clip(image, 0, 1), subject, anywhere(n), lamp(rng), grain=grain, colour=name, period=max(1.5, pitch)
    )


def stripes(rng: Rng, n: int, image: Array) -> Array:
    """A legitimate repeat of coloured stripes, one or both ways."""
    pitch, duty = n / rng.uniform(3, 14), rng.uniform(0.2, 0.5)
    shade = np.asarray(pick(rng)[1], np.float32)
    line = ((np.arange(n) + rng.uniform(0, pitch)) % pitch < duty * pitch).astype(np.float32) * np.float32(
        rng.uniform(0.2, 0.7)
    )
    image = mix(image, shade * image.mean() * 2, np.broadcast_to(line[None, :], (n, n)))
    return mix(image, shade * image.mean() * 2, np.broadcast_to(line[:, None], (n, n))) if chance(rng, 0.5) else image


def denim(n: int, rng: Rng) -> Scene:
    """Blue twill, worn unevenly."""
    pitch = log_uniform(rng, 2.5, 7) * n / 215
    over, height, tone = weave(rng, n, pitch, pitch, WEAVES["denim"], rng.uniform(0.05, 0.15))
    name, blue = pick(rng, ("blue", "dark blue", "light blue", "black", "dark grey"))
    worn = unit(fractal(rng, n, 3, 5, 0.6))
    base = ramp(over * (0.55 + 0.45 * (1 - worn * rng.uniform(0.2, 0.8))), (0.72, 0.74, 0.76), blue)
    image = base * ((0.55 + 0.6 * height) * (1 + tone) + white(rng, n, n) * 0.05)[..., None]
    return Scene(
        np.clip(image, 0, 1), "denim", anywhere(n), lamp(rng), grain=np.pi / 2, colour=name, period=max(1.5, pitch)
    )


def knit(n: int, rng: Rng) -> Scene:
    """Stocking stitch: columns of V-shaped loops, sometimes with ribs or colour rows."""
    pitch = log_uniform(rng, 5, 16) * n / 215
    x, y = coords(n)
    u = (x + smooth(rng, n, 2, 2) * np.float32(pitch * 0.2)) / np.float32(pitch) + 600
    fu = np.abs(u - np.floor(u) - 0.5) * 2
    v = (
        (y + smooth(rng, n, 2, 2) * np.float32(pitch * 0.2)) / np.float32(pitch * rng.uniform(0.6, 0.9))
        - fu * np.float32(rng.uniform(0.5, 0.9))
        + 600
    )
    fv = v - np.floor(v)
    height = np.sin(np.pi * fv) * (0.4 + 0.6 * np.sin(np.pi * np.clip(fu * 1.05, 0, 1)))
    name, colour = pick(rng)
    rows = rng.normal(0, 0.03, 1600).astype(np.float32)[v.astype(np.int32) % 1600]
    value = (0.35 + 0.75 * height) * (1 + rows) + white(rng, n, n) * np.float32(rng.uniform(0.02, 0.08))
    return Scene(
        np.clip(tint(value, colour), 0, 1),
        str(rng.choice(["knitted fabric", "sweater", "jersey"])),
        anywhere(n),
        lamp(rng),
        grain=np.pi / 2,
        colour=name,
        period=pitch,
    )


def carpet(n: int, rng: Rng) -> Scene:
    """Pile: tufts with their own tone, lit from one side."""
    light = lamp(rng)
    pile = blur(white(rng, n, n), log_uniform(rng, 0.6, 2.2) * n / 215)
    pile = pile / pile.std()
    pitch = log_uniform(rng, 5, 14) * n / 215
    if chance(rng, 0.5):  # loops in rows
        x, y = coords(n)
        pile = pile * 0.6 + np.sin(x * np.float32(2 * np.pi / pitch) + smooth(rng, n, 12)) * np.sin(
            y * np.float32(2 * np.pi / pitch / 0.8)
        )
    name, colour = (
        pick(rng, tuple(COLOURS)[:12]) if chance(rng, 0.6) else pick(rng, ("grey", "dark grey", "light grey"))
    )
    value = relief(pile, light, rng.uniform(0.3, 0.9)) * (0.95 + 0.08 * pile)
    image = tint(value, colour)
    if chance(rng, 0.5):  # mottled yarn
        image = mix(
            image,
            np.multiply(pick(rng)[1], value[..., None]),
            (blur(white(rng, n, n), 1.2) > 0.35).astype(np.float32) * 0.5,
        )
    return Scene(
        np.clip(image, 0, 1), str(rng.choice(["carpet", "rug", "towel"])), anywhere(n), light, colour=name, period=pitch
    )


def felt(n: int, rng: Rng) -> Scene:
    """Non-woven fibres in all directions."""
    web = np.zeros((n, n), np.float32)
    for _ in range(3):
        layer = blur(white(rng, n, n), 0.5, rng.uniform(2, 6) * n / 215)
        web += np.roll(layer / layer.std(), 3, 0) if chance(rng, 0.5) else (layer / layer.std()).T
    name, colour = pick(rng)
    value = (
        0.9 + web * np.float32(rng.uniform(0.03, 0.12)) + fractal(rng, n, 5, 4) * np.float32(rng.uniform(0.01, 0.06))
    )
    return Scene(
        np.clip(tint(value, colour), 0, 1),
        str(rng.choice(["felt", "non-woven fabric", "fleece"])),
        anywhere(n),
        lamp(rng),
        colour=name,
    )
