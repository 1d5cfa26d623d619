"""Blob-like defects: hole, dent, stain, dirt, drops, burns, blowholes, bubbles, punctures."""

from __future__ import annotations

import numpy as np

from .noise import Array, Rng, blur, chance, fractal, log_uniform, step
from .paint import Finish, body, ellipse, gloss, mix, relief, wobbly
from .palette import pick, vary
from .scene import Scene
from .spot import Edit, Spot, distance, local, patch


def hole(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A hole: dark or showing what lies behind, with a lit far wall."""
    a = patch(s, spot, rng, 0.1 + 1.2 / spot.r, rng.uniform(0.02, 0.25))
    rim = np.clip(blur(a, 1.2) - a, 0, 1)
    deep = local(s, spot) * np.float32(rng.uniform(0.02, 0.3)) if s.behind is None or chance(rng, 0.5) else s.behind
    image = mix(s.image * (1 + rim * np.float32(rng.uniform(-0.4, 0.8)))[..., None], deep, a)
    wall = np.clip(a - np.roll(a, (round(-2 * s.light[1]), round(-2 * s.light[0])), (0, 1)), 0, 1)
    image = image + (wall * np.float32(rng.uniform(0, 0.25)))[..., None]
    return Edit(image, np.clip(blur(a, 1.5) * 3, 0, 1), f"a {'small' if spot.r < s.n * 0.05 else 'large'} hole")


def dent(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A dent or bump: shading alone tells, with a highlight on glossy things."""
    up = 1.0 if chance(rng, 0.5) else -1.0
    d = distance(s, spot, log_uniform(rng, 1, 3), rng.uniform(0, np.pi))
    sharp = rng.uniform(1.2, 4.0)
    height = np.exp(-(d ** np.float32(sharp))) * np.float32(up * spot.r * log_uniform(rng, 0.08, 0.5))
    image = s.image * relief(height, s.light, 1.0 + 2.0 * spot.strength)[..., None]
    image = (
        image + (gloss(height, s.light, 40, 3.0) * np.exp(-d) * np.float32(rng.uniform(0, 0.4)) * (d < 1.6))[..., None]
    )
    return Edit(
        image,
        (d < 1.9).astype(np.float32),
        str(rng.choice(["a bump", "a bulge", "a raised spot"] if up > 0 else ["a dent", "a dimple", "an indentation"])),
    )


def stain(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A stain with soft or hard ragged edge: dark, light or coloured, sometimes darkest at its rim."""
    a = patch(s, spot, rng)
    kind = str(rng.choice(["dark", "light", "coloured", "oil"]))
    amount = np.float32(0.35 + 0.55 * spot.strength)
    if kind == "coloured":
        tone = np.asarray(pick(rng)[1], np.float32)
        target = s.image * (0.25 + 0.75 * tone) if chance(rng, 0.6) else s.image * 0.3 + tone * 0.7
    elif kind == "light":
        target = s.image * 0.5 + 0.5 * np.maximum(local(s, spot) * 1.4, 0.6)
    else:
        target = s.image * np.float32(rng.uniform(0.15, 0.6))
    if kind == "oil":
        a = np.clip(a - 0.6 * blur(a, spot.r * 0.25) + 0.15 * a, 0, 1) * 1.3
    mottle = (
        np.clip(1 + 0.3 * fractal(rng, s.n, s.n / max(spot.r, 3) * 2, 3), 0.3, 1.3)
        if chance(rng, 0.5)
        else np.float32(1)
    )
    return Edit(
        mix(s.image, target, np.clip(a * mottle, 0, 1) * amount),
        a,
        f"a {kind} stain" if kind != "oil" else "an oily stain",
    )


def particle(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A foreign body lying on the surface: crumb, chip, metal piece, with shadow."""
    image = s.image.copy()
    base = float(local(s, spot).mean())
    tone = vary(rng, pick(rng)[1]) if chance(rng, 0.5) else ((0.08, 0.07, 0.06) if base > 0.4 else (0.9, 0.88, 0.84))
    outline = wobbly(
        rng, spot.x, spot.y, max(spot.r, 1.6), rng.uniform(0.02, 0.3), log_uniform(rng, 1, 4), rng.uniform(0, 3), 36
    )
    _, (y0, y1, x0, x1) = body(
        image,
        [outline],
        tone,
        s.light,
        Finish(max(2.0, spot.r * rng.uniform(0.2, 1)), 0.5, rng.uniform(0, 0.5), reach=max(1.5, spot.r * 0.15)),
    )
    support = np.zeros((s.n, s.n), np.float32)
    support[y0:y1, x0:x1] = 1.0
    return Edit(
        image,
        support,
        str(rng.choice(["a foreign object", "a particle", "a crumb", "a piece of debris", "contamination"])),
    )


def dust(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Many little specks."""
    near = np.clip(1.4 - distance(s, spot), 0, 1)
    specks = step(fractal(rng, s.n, s.n / log_uniform(rng, 3, 9), 1), rng.uniform(1.4, 2.2), 0.3) * (near > 0)
    base = float(local(s, spot).mean())
    tone = (
        np.full(3, 0.95 if base < 0.5 else 0.08, np.float32)
        if chance(rng, 0.7)
        else np.asarray(pick(rng)[1], np.float32)
    )
    return Edit(
        mix(s.image, tone, specks * np.float32(0.4 + 0.6 * spot.strength)),
        specks,
        str(rng.choice(["dust", "specks of dirt", "scattered particles", "powder"])),
    )


def droplet(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Drops of liquid: refracted inside, bright spot, dark rim."""
    image, support = s.image, np.zeros((s.n, s.n), np.float32)
    for k in range(1 if chance(rng, 0.6) else int(rng.integers(2, 7))):
        at = Spot(
            spot.x + rng.normal(0, spot.r) * (k > 0),
            spot.y + rng.normal(0, spot.r) * (k > 0),
            max(2.5, spot.r * rng.uniform(0.3, 0.9)),
            spot.strength,
        )
        d = distance(s, at, rng.uniform(1, 1.4), rng.uniform(0, 3))
        a = np.clip((1 - d) * at.r * 0.8, 0, 1)
        dome = np.sqrt(np.clip(1 - d * d, 0, 1)) * np.float32(at.r)
        inner = (
            np.roll(image, (int(at.r * 0.4), int(at.r * 0.3)), (0, 1))
            * (relief(dome, (-s.light[0], -s.light[1]), 0.35)[..., None])
            + gloss(dome, s.light, 50)[..., None] * 0.8
        )
        image = mix(image, inner, a)
        support = np.maximum(support, a)
    return Edit(image, support, str(rng.choice(["a droplet", "a drop of liquid", "water drops"])))


def burn(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A scorched patch: black heart, brown halo."""
    d = distance(s, spot, log_uniform(rng, 1, 2.5), rng.uniform(0, 3)) + 0.2 * fractal(
        rng, s.n, s.n / max(spot.r, 4), 4
    )
    heart, halo = np.clip(1.2 - d * 1.6, 0, 1), np.clip(1.1 - d, 0, 1)
    grey = abs(float(np.ptp(local(s, spot)))) < 0.03
    image = s.image * (
        1 - halo[..., None] * (np.array([0.3, 0.3, 0.3]) if grey else np.array([0.2, 0.45, 0.65])).astype(np.float32)
    )
    return Edit(
        mix(image, (0.05, 0.04, 0.03), heart * np.float32(0.5 + 0.5 * spot.strength)),
        halo > 0,
        str(rng.choice(["a burn mark", "a scorched area", "a burnt spot"])),
    )


def blowholes(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Pores of a casting: one or a cluster of little dark pits with a bright lip."""
    image, support = s.image, np.zeros((s.n, s.n), np.float32)
    count = 1 if chance(rng, 0.4) else int(rng.integers(2, 12))
    for _ in range(count):
        off = rng.normal(0, spot.r * 0.6, 2) if count > 1 else np.zeros(2)
        at = Spot(
            spot.x + off[0],
            spot.y + off[1],
            max(1.5, min(spot.r, s.n * 0.05) * (rng.uniform(0.2, 0.6) if count > 1 else 0.8)),
            spot.strength,
        )
        d = distance(s, at, log_uniform(rng, 1, 2.5), rng.uniform(0, 3))
        pit = np.clip((1 - d) * at.r * 0.7 + 0.3, 0, 1) * (d < 1.3)
        lip = np.clip(1 - np.abs(d - 1.15) * 5, 0, 1)
        image = mix(image, local(s, at) * np.float32(rng.uniform(0.1, 0.45)), pit)
        image = image + (lip * np.float32(rng.uniform(0, 0.18)))[..., None]
        support = np.maximum(support, (d < 1.4).astype(np.float32))
    return Edit(
        image,
        support,
        str(
            rng.choice(
                ["a blowhole", "a pore", "a pit"]
                if count == 1
                else ["blowholes", "a cluster of pores", "pitting", "bubbles"]
            )
        ),
    )


def bubbles(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Blisters under a film or in a casting: rings of light and shade."""
    height = np.zeros((s.n, s.n), np.float32)
    for k in range(int(rng.integers(1, 9))):
        at = Spot(
            spot.x + rng.normal(0, spot.r * 0.8) * (k > 0),
            spot.y + rng.normal(0, spot.r * 0.8) * (k > 0),
            max(2.0, spot.r * rng.uniform(0.15, 0.6)),
            1,
        )
        d = distance(s, at)
        height = np.maximum(height, np.sqrt(np.clip(1 - d * d, 0, 1)) * np.float32(at.r * 0.7))
    image = (
        s.image * relief(height, s.light, 0.7 + spot.strength)[..., None]
        + (gloss(height, s.light, 30) * (height > 0.2) * np.float32(0.35))[..., None]
    )
    return Edit(
        image,
        (blur(height, 1) > 0.05).astype(np.float32),
        str(rng.choice(["bubbles", "blisters", "air bubbles", "blistering"])),
    )


def poke(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A prick: small dark hole, the surface puckered around it."""
    d = distance(s, spot)
    r = max(2.0, spot.r)
    pucker = np.exp(-((d - 0.6) ** 2) * 6)
    image = s.image * relief(pucker * r * 0.5, s.light, 0.5 + spot.strength)[..., None]
    pit = np.clip((rng.uniform(0.3, 0.6) - d) * r, 0, 1)
    return Edit(
        mix(image, local(s, spot) * 0.12, pit),
        (d < 1.6).astype(np.float32),
        str(rng.choice(["a puncture", "a poke mark", "a small pierced hole"])),
    )


def blob_outline(spot: Spot, rng: Rng) -> Array:
    """Outline of a round thing at the spot."""
    return ellipse(spot.x, spot.y, spot.r, spot.r * rng.uniform(0.6, 1), rng.uniform(0, 3))
