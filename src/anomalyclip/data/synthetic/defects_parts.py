"""Logical defects: a part that is missing, sits askew, is one too many, or is another one."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, step
from .paint import Finish, box, ellipse, fill, lit, mix
from .palette import pick, vary
from .scene import Part, Scene
from .spot import Edit, Spot


def _part(s: Scene, rng: Rng) -> Part | None:
    good = [p for p in s.parts if p.alpha.size and p.alpha.sum() > 12]
    return good[int(rng.integers(len(good)))] if good else None


def missing(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """A part is gone, whole or broken off; the ground shows."""
    part = _part(s, rng)
    if part is None:
        return None
    a = _cover(s, part)
    words = f"a missing {part.noun}"
    if chance(rng, 0.3):
        y0, y1, x0, x1 = part.box
        x, y = coords(s.n, rng.uniform(0, 6.3))
        off = np.float32(((x0 + x1) / 2 - s.n / 2) * 0)
        cx, cy = (x0 + x1) / 2 - s.n / 2, (y0 + y1) / 2 - s.n / 2
        ang = rng.uniform(0, 6.3)
        u, v = coords(s.n)
        side = (u - np.float32(cx)) * np.float32(np.cos(ang)) + (v - np.float32(cy)) * np.float32(np.sin(ang)) + off
        a = a * step(side + fractal(rng, s.n, s.n / 8, 3) * 1.5 + 0 * x * y, 0, 2)
        words = f"a broken {part.noun}"
    return Edit(mix(s.image, part.behind, a), a, words)


def _whole(s: Scene, part: Part) -> Array:
    """A part's opacity on the whole picture."""
    alpha = np.zeros((s.n, s.n), np.float32)
    y0, y1, x0, x1 = part.box
    alpha[y0:y1, x0:x1] = part.alpha
    return alpha


def _cover(s: Scene, part: Part) -> Array:
    grown = cv2.dilate(_whole(s, part), np.ones((3, 3), np.uint8))
    sx, sy = round(-3 * s.light[0]), round(-3 * s.light[1])
    return np.clip(np.maximum(grown, np.roll(grown, (sy, sx), (0, 1))), 0, 1)


def misplaced(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """A part sits askew: turned or shifted from its place."""
    part = _part(s, rng)
    if part is None:
        return None
    y0, y1, x0, x1 = part.box
    a = _whole(s, part)
    m: Array = cv2.getRotationMatrix2D(
        ((x0 + x1) / 2, (y0 + y1) / 2), float(rng.choice([-1, 1]) * rng.uniform(12, 120)), 1.0
    )
    m[:, 2] += rng.normal(0, 0.25, 2) * (x1 - x0, y1 - y0)
    new_a = cv2.warpAffine(a, m, (s.n, s.n))
    new = cv2.warpAffine(s.image, m, (s.n, s.n), borderMode=cv2.BORDER_REFLECT_101)
    cover = _cover(s, part)
    image = mix(s.image, part.behind, cover)
    image = mix(image * (1 - 0.3 * blur(new_a, 2.0))[..., None], new, new_a)
    return Edit(
        image,
        np.maximum(cover, np.clip(blur(new_a, 2) * 3, 0, 1)),
        str(rng.choice([f"a misplaced {part.noun}", f"a crooked {part.noun}", f"a shifted {part.noun}"])),
    )


def extra(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """One part too many, where none belongs."""
    part = _part(s, rng)
    if part is None:
        return None
    y0, y1, x0, x1 = part.box
    a = _whole(s, part)
    m: Array = cv2.getRotationMatrix2D(
        ((x0 + x1) / 2, (y0 + y1) / 2), float(rng.uniform(0, 360)), rng.uniform(0.85, 1.1)
    )
    m[:, 2] += (spot.x - (x0 + x1) / 2, spot.y - (y0 + y1) / 2)
    new_a = cv2.warpAffine(a, m, (s.n, s.n))
    new = cv2.warpAffine(s.image, m, (s.n, s.n), borderMode=cv2.BORDER_REFLECT_101)
    image = mix(s.image * (1 - 0.3 * blur(new_a, 2.5))[..., None], new, new_a)
    return Edit(
        image,
        np.clip(blur(new_a, 2.5) * 4, 0, 1),
        str(rng.choice([f"an extra {part.noun}", f"a {part.noun} too many"])),
    )


def wrong_part(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """A part of another colour or kind stands in."""
    part = _part(s, rng)
    if part is None:
        return None
    y0, y1, x0, x1 = part.box
    a = _whole(s, part)
    tone = np.asarray(vary(rng, pick(rng)[1]), np.float32)
    if chance(rng, 0.6):
        grey = s.image.mean(2, keepdims=True)
        target = np.clip(grey / max(float(grey[a > 0.5].mean()) if (a > 0.5).any() else 0.5, 0.1) * tone, 0, 1)
    else:
        r = 0.5 * min(y1 - y0, x1 - x0) * 0.7
        a = fill(
            s.n,
            ellipse((x0 + x1) / 2, (y0 + y1) / 2, r)
            if chance(rng, 0.5)
            else box((x0 + x1) / 2, (y0 + y1) / 2, r * 2, r * 1.4, rng.uniform(0, 3)),
        )
        base = mix(s.image, part.behind, _cover(s, part))
        image = mix(base, lit(a, tone, s.light, Finish(max(2.0, r * 0.3))), a)
        return Edit(image, np.maximum(_cover(s, part), a), f"a wrong {part.noun}")
    return Edit(
        mix(s.image, target, a),
        a,
        str(rng.choice([f"a {part.noun} of the wrong colour", f"a wrong {part.noun}", f"a mixed-up {part.noun}"])),
    )
