"""Structural defects: broken edges, wrong texture, bends, misprints, faults of patterns, peeling, bridges."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import Array, Rng, blur, chance, coords, fractal, log_uniform, smooth, step, unit, warp, white
from .paint import Finish, ellipse, fill, lit, mix, ramp, relief, stroke
from .palette import pick, vary
from .scene import Scene
from .spot import Edit, Spot, direction, distance, local, patch, shift_tone


def paste(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A piece of the same picture, moved, turned or mirrored: right material, wrong place."""
    a = patch(s, spot, rng, rng.uniform(0.05, 0.3))
    angle = float(rng.uniform(20, 340))
    m: Array = cv2.getRotationMatrix2D((s.n / 2, s.n / 2), angle, rng.uniform(0.7, 1.4))
    m[:, 2] += rng.uniform(-0.3, 0.3, 2) * s.n
    moved = cv2.warpAffine(s.image, m, (s.n, s.n), borderMode=cv2.BORDER_REFLECT_101)
    return Edit(
        mix(s.image, moved * np.float32(1 + rng.normal(0, 0.08)), a),
        a,
        str(rng.choice(["a misplaced piece", "an irregular patch", "a texture fault", "a wrong patch"])),
    )


def foreign(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A patch of quite another material."""
    a = patch(s, spot, rng, rng.uniform(0.05, 0.4))
    n = s.n
    kind = int(rng.integers(4))
    field = (
        fractal(rng, n, log_uniform(rng, 4, 40), 5, rng.uniform(0.4, 0.8))
        if kind < 2
        else np.sin(coords(n, rng.uniform(0, 3))[0] * np.float32(2 * np.pi / log_uniform(rng, 3, 20)))
        if kind == 2
        else white(rng, n, n)
    )
    tone = local(s, spot)
    one, two = (np.asarray(vary(rng, pick(rng)[1]), np.float32) for _ in range(2))
    if chance(rng, 0.5):
        one, two = tone * np.float32(rng.uniform(0.3, 0.9)), np.clip(tone * np.float32(rng.uniform(1.1, 2)), 0, 1)
    target = ramp(unit(field), one, two)
    opacity = np.float32(0.35 + 0.65 * spot.strength)
    return Edit(
        mix(s.image, target, a * opacity),
        a,
        str(rng.choice(["a foreign patch", "a patch of other material", "a covered area", "an unknown substance"])),
    )


def turned(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """The texture runs across instead of along in a patch."""
    a = patch(s, spot, rng, rng.uniform(0.05, 0.3))
    m: Array = cv2.getRotationMatrix2D((spot.x, spot.y), float(rng.choice([90, 45, -45, 180])), 1.0)
    m[:, 2] += rng.uniform(-0.06, 0.06, 2) * s.n
    moved = cv2.warpAffine(s.image, m, (s.n, s.n), borderMode=cv2.BORDER_REFLECT_101)
    return Edit(
        mix(s.image, moved, a),
        a,
        str(rng.choice(["a patch with turned texture", "a wrong grain direction", "a texture fault"])),
    )


def bend(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Local deformation: swirl, pinch, bulge or shift."""
    d = distance(s, spot)
    x, y = coords(s.n)
    dx, dy = x + np.float32(s.n / 2 - spot.x), y + np.float32(s.n / 2 - spot.y)
    fall = np.clip(1 - d, 0, 1) ** 2 * (3 - 2 * np.clip(1 - d, 0, 1))
    kind = int(rng.integers(3))
    if kind == 0:
        a = fall * np.float32(rng.choice([-1, 1]) * (0.6 + spot.strength))
        c, sn = np.cos(a) - 1, np.sin(a)
        mx, my = dx * c - dy * sn, dx * sn + dy * c
    elif kind == 1:
        k = np.float32(rng.choice([-0.6, 0.55]) * (0.6 + 0.4 * spot.strength))
        mx, my = dx * fall * k, dy * fall * k
    else:
        angle, far = rng.uniform(0, 6.3), np.float32(spot.r * 0.45)
        mx, my = fall * far * np.float32(np.cos(angle)), fall * far * np.float32(np.sin(angle))
    image = warp(s.image, mx, my)
    return Edit(
        image,
        (d < 1).astype(np.float32),
        str(
            rng.choice(
                [
                    ["a twisted area", "a swirl"],
                    ["a squeezed area", "a pinched area"],
                    ["a bent part", "a deformed area"],
                ][kind]
            )
        ),
    )


def broken_edge(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """A piece is missing from the rim; what lies behind shows."""
    at = _rim(s, spot, rng)
    if at is None or s.behind is None:
        return None
    a = step(
        -(
            distance(s, at, log_uniform(rng, 1, 2.5), rng.uniform(0, 3))
            + fractal(rng, s.n, s.n / max(at.r, 4), 4, 0.6) * 0.15
        ),
        -1,
        0.1 + 1 / at.r,
    )
    grow = cv2.dilate(s.where.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(np.float32)
    a = a * blur(grow, 0.8)
    edge = np.clip(np.roll(a, (round(2 * s.light[1]), round(2 * s.light[0])), (0, 1)) - a, 0, 1) * s.where
    image = s.image * (1 + edge * np.float32(rng.uniform(-0.5, 0.6)))[..., None]
    if chance(rng, 0.35):  # only the surface is gone: the raw core shows
        core = (
            local(s, at) * np.float32(rng.choice([0.55, 1.35])) * (1 + 0.15 * fractal(rng, s.n, s.n / 8, 3))[..., None]
        )
        return Edit(
            mix(image, np.clip(core, 0, 1), a * s.where),
            np.clip(blur(a, 2) * 3, 0, 1),
            str(rng.choice(["a chipped edge", "a chip", "flaked-off material"])),
        )
    return Edit(
        mix(image, s.behind, a),
        np.clip(blur(a, 2) * 3, 0, 1),
        str(rng.choice(["a broken edge", "a missing piece", "a break", "a notch"])),
    )


def _rim(s: Scene, spot: Spot, rng: Rng) -> Spot | None:
    solid = s.where.astype(np.uint8)
    rim = solid - cv2.erode(solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    m = s.n // 12
    ys, xs = np.nonzero(rim[m:-m, m:-m])
    if len(ys) < 8:
        return None
    near = (xs + m - spot.x) ** 2 + (ys + m - spot.y) ** 2
    k = int(np.argmin(near)) if chance(rng, 0.5) else int(rng.integers(len(ys)))
    return Spot(float(xs[k] + m), float(ys[k] + m), max(3.0, spot.r), spot.strength)


def misprint(s: Scene, spot: Spot, rng: Rng) -> Edit | None:
    """Print is smeared, doubled, partly missing or blotted."""
    if s.prints is None or float(s.prints.sum()) < 20:
        return None
    ys, xs = np.nonzero(s.prints > 0.5)
    if not len(ys):
        return None
    k = int(rng.integers(len(ys)))
    at = Spot(float(xs[k]), float(ys[k]), max(spot.r, s.n * 0.035), spot.strength)
    a = patch(s, at, rng, 0.3, 0.2)
    kind = int(rng.integers(4))
    if kind == 0:
        wide = max(3, int(at.r * 0.8))
        kernel = np.zeros((wide, wide), np.float32)
        cv2.line(kernel, (0, int(rng.integers(wide))), (wide - 1, int(rng.integers(wide))), 1.0, 1)
        target, words = cv2.filter2D(s.image, -1, kernel / kernel.sum()), "smeared print"
    elif kind == 1:
        clean = cv2.inpaint(
            (np.clip(s.image, 0, 1) * 255).astype(np.uint8),
            (blur(s.prints, 1.0) > 0.08).astype(np.uint8),
            3,
            cv2.INPAINT_TELEA,
        )
        target, words = clean.astype(np.float32) / np.float32(255), "missing print"
    elif kind == 2:
        ghost = np.roll(s.prints, (int(rng.integers(2, 6)), int(rng.integers(-5, 6))), (0, 1))
        ink = s.image[ys, xs].mean(0)
        target, words = mix(s.image, ink, ghost * 0.8), "double print"
    else:
        ink = s.image[ys, xs].mean(0)
        blot = step(
            s.prints * 0.6 + blur(s.prints, 2.5) * 1.4 + 0.3 * fractal(rng, s.n, s.n / 8, 2) - 0.2 * distance(s, at),
            0.35,
            0.3,
        )
        target, words = mix(s.image, ink, blot), "an ink blot"
    return Edit(mix(s.image, target, a), a, words if chance(rng, 0.6) else "faulty print")


def repeat_fault(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """The regular pattern breaks: a row shifted, squeezed, filled in or cut."""
    kind = int(rng.integers(3))
    x, y = coords(s.n, s.grain or 0.0)
    half = max(s.period * rng.uniform(0.5, 1.5), 2.0)
    c, sn = np.float32(np.cos(s.grain or 0.0)), np.float32(np.sin(s.grain or 0.0))
    px, py = np.float32(spot.x - s.n / 2), np.float32(spot.y - s.n / 2)
    u, v = x - (px * c + py * sn), y - (py * c - px * sn)
    if kind == 0:  # a piece of a row has slipped
        band = np.clip((half - np.abs(v)) + 0.5, 0, 1) * np.clip(spot.r * 1.5 - np.abs(u), 0, 1)
        shift = band * np.float32(s.period * rng.uniform(0.3, 0.7))
        return Edit(warp(s.image, shift * c, shift * sn), band, "a shifted row")
    if kind == 1 and s.behind is not None:  # opened
        a = patch(s, Spot(spot.x, spot.y, max(spot.r, s.period * 0.7), 1.0), rng, 0.15, 0.2)
        return Edit(mix(s.image, s.behind, a), a, "a broken mesh")
    a = patch(s, Spot(spot.x, spot.y, max(spot.r, s.period * 0.6), 1.0), rng, 0.2, 0.1)
    tone = shift_tone(s, spot, rng)
    return Edit(
        mix(s.image, tone * (1 + 0.04 * white(rng, s.n, s.n))[..., None], a * np.float32(0.6 + 0.4 * spot.strength)),
        a,
        str(rng.choice(["a filled gap", "a clogged area", "a blocked cell"])),
    )


def peeled(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Coating or film has come off: another layer with a lit edge."""
    a = patch(s, spot, rng, 0.08 + 1.0 / spot.r, rng.uniform(0.1, 0.4))
    under = local(s, spot).mean() * np.ones(3, np.float32)
    under = (under * np.float32(rng.choice([0.5, 1.6])) + np.asarray(vary(rng, (0.5, 0.48, 0.45), 0.2), np.float32)) / 2
    layer = np.clip(under * (1 + 0.08 * fractal(rng, s.n, s.n / 10, 4))[..., None], 0, 1)
    image = (
        mix(s.image, layer, a * np.float32(0.6 + 0.4 * spot.strength))
        * relief(blur(a, 0.8) * -3, s.light, 0.7)[..., None]
    )
    return Edit(
        image,
        np.clip(blur(a, 1.5) * 3, 0, 1),
        str(rng.choice(["peeling paint", "a peeled area", "flaking coating", "a worn coating"])),
    )


def uneven_patch(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """A zone of other reflectance with a clear border, the texture running on: unevenly ground, wet or worn."""
    u, v = coords(s.n, rng.normal(0, 0.15))
    du, dv = u - np.float32(spot.x - s.n / 2), v - np.float32(spot.y - s.n / 2)
    w, h = spot.r * rng.uniform(0.8, 1.6), spot.r * rng.uniform(0.6, 1.3)
    wave = smooth(rng, s.n, 5) * np.float32(spot.r * 0.12) + fractal(rng, s.n, s.n / 14, 2) * 1.2
    gap = np.minimum(w - np.abs(du), h - np.abs(dv)) + wave
    a = np.clip(gap / rng.uniform(1, 8) + 0.5, 0, 1)
    low = blur(s.image, 4)
    gain = np.float32(1 + (0.2 + 0.6 * spot.strength) * rng.choice([-0.8, 1.0]))
    target = low * gain + (s.image - low) * np.float32(rng.uniform(0.3, 2.2))
    return Edit(
        mix(s.image, np.clip(target, 0, 1), a),
        a,
        str(rng.choice(["an uneven area", "an unevenly ground patch", "a shiny patch", "a dull patch"])),
    )


def bridge(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Too much solder: a bright blob or a bridge between neighbours."""
    angle = float(rng.choice([0, np.pi / 2]))
    long = max(spot.r, s.period * 0.8)
    ends = np.array([[-1, 0], [1, 0]]) * long * 0.7
    c, sn = np.cos(angle), np.sin(angle)
    ends = np.stack([ends[:, 0] * c + spot.x, ends[:, 0] * sn + spot.y], 1)
    a = np.clip(blur(stroke(s.n, ends, max(2.0, s.period * rng.uniform(0.25, 0.6))), 1.0) * 1.8 - 0.3, 0, 1)
    if chance(rng, 0.5):
        a = np.maximum(a, fill(s.n, ellipse(spot.x, spot.y, s.period * 0.45)))
    metal = lit(
        a, np.asarray(vary(rng, (0.72, 0.72, 0.74)), np.float32), s.light, Finish(max(2.0, s.period * 0.3), 0.6, 0.5)
    )
    return Edit(mix(s.image, metal, a), a, str(rng.choice(["a solder bridge", "a solder splash", "excess solder"])))


def stripe_fault(s: Scene, spot: Spot, rng: Rng) -> Edit:
    """Roller or print lines: parallel streaks, a missing line, banding."""
    angle = direction(s, rng)
    x, y = coords(s.n, angle)
    c, sn = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    px, py = np.float32(spot.x - s.n / 2), np.float32(spot.y - s.n / 2)
    u, v = x - (px * c + py * sn), y - (py * c - px * sn)
    lines = np.clip(np.sin(v * np.float32(2 * np.pi / max(3.0, spot.r * rng.uniform(0.2, 0.6)))) * 2, 0, 1)
    a = np.clip((spot.r * 1.5 - np.abs(u)) * 0.3, 0, 1) * np.clip((spot.r * 0.6 - np.abs(v)) * 0.5, 0, 1) * lines
    return Edit(
        mix(s.image, shift_tone(s, spot, rng), a * np.float32(0.3 + 0.7 * spot.strength)),
        a,
        str(rng.choice(["parallel marks", "roller marks", "streaks", "chatter marks"])),
    )
