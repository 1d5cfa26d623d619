"""Brushes: polygons, relief, solid bodies, shadows, strokes, text. Canvases are float32 (n, n, 3) in [0, 1]."""
# ruff: noqa: RUF005 (points + (x, y) adds an offset to an array, it does not join tuples)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .noise import Array, Rng, blur, white

Colour = tuple[float, float, float]
Tone = Sequence[float] | Any  # three numbers, or an array that broadcasts against (n, n, 3)
Light = tuple[float, float]
_SHIFT = 4  # cv2 sub-pixel bits: polygon corners are given in sixteenths of a pixel


def flat(n: int, colour: Tone) -> Array:
    """A canvas of one colour."""
    return np.broadcast_to(np.asarray(colour, np.float32), (n, n, 3)).copy()


def mix(under: Array, over: Tone, alpha: Array) -> Array:
    """Blend `over` onto `under` with alpha (h, w) in [0, 1]."""
    a = alpha[..., None] if under.ndim == 3 else alpha
    return under + (np.asarray(over, np.float32) - under) * a


def tint(value: Array, colour: Tone) -> Array:
    """A grey field (h, w) times a colour: (h, w, 3)."""
    return value[..., None] * np.asarray(colour, np.float32)


def ramp(value: Array, dark: Tone, light: Tone) -> Array:
    """Colours between `dark` (value 0) and `light` (value 1)."""
    a, b = np.asarray(dark, np.float32), np.asarray(light, np.float32)
    return a + value[..., None] * (b - a)


def relief(height: Array, light: Light, strength: float) -> Array:
    """Multiplicative shading of a height field lit from direction `light` (pointing to the lamp, image axes)."""
    height = np.asarray(height, np.float32)
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.clip(1.0 - (gx * np.float32(light[0]) + gy * np.float32(light[1])) * np.float32(strength), 0.15, 2.2)


def gloss(height: Array, light: Light, power: float = 18.0, slope: float = 1.0) -> Array:
    """Specular highlight in [0, 1] of a height field, lamp at 45 degrees in direction `light`, viewer above."""
    height = np.asarray(height, np.float32)
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125) * np.float32(slope)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125) * np.float32(slope)
    hx, hy, hz = light[0] * 0.38, light[1] * 0.38, 0.92
    cos = (hz - gx * np.float32(hx) - gy * np.float32(hy)) / np.sqrt(1 + gx * gx + gy * gy)
    return np.clip(cos, 0, 1) ** np.float32(power)


# --- outlines: (k, 2) float arrays of x, y in pixels -------------------------------------------------------------


def ellipse(
    x: float, y: float, rx: float, ry: float | None = None, angle: float = 0.0, k: int = 72, power: float = 2.0
) -> Array:
    """Superellipse outline (power 2: ellipse; above: a rounded box)."""
    t = np.linspace(0, 2 * np.pi, k, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    e = 2.0 / power
    px, py = rx * np.sign(c) * np.abs(c) ** e, (rx if ry is None else ry) * np.sign(s) * np.abs(s) ** e
    return turn(np.stack([px, py], 1), angle) + (x, y)


def regular(x: float, y: float, r: float, k: int, angle: float = 0.0) -> Array:
    """Regular polygon with k corners."""
    t = np.linspace(0, 2 * np.pi, k, endpoint=False) + angle
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], 1)


def box(x: float, y: float, w: float, h: float, angle: float = 0.0, corner: float = 0.0) -> Array:
    """Rectangle of full width w and height h; `corner` rounds it (pixels)."""
    r = min(corner, w / 2 - 0.1, h / 2 - 0.1)
    if r <= 0.3:
        p = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    else:
        t = np.linspace(0, np.pi / 2, 7)
        arc = np.stack([np.cos(t), np.sin(t)], 1) * r
        p = np.concatenate(
            [
                arc + (w / 2 - r, h / 2 - r),
                arc[::-1] * (-1, 1) + (r - w / 2, h / 2 - r),
                -arc + (r - w / 2, r - h / 2),
                arc[::-1] * (1, -1) + (w / 2 - r, r - h / 2),
            ]
        )
    return turn(p, angle) + (x, y)


def wobbly(
    rng: Rng, x: float, y: float, r: float, rough: float = 0.15, long: float = 1.0, angle: float = 0.0, k: int = 64
) -> Array:
    """An irregular closed outline around (x, y): radius r with harmonics of relative size `rough`."""
    t = np.linspace(0, 2 * np.pi, k, endpoint=False)
    radius = np.ones(k)
    for m in range(2, 9):
        radius += rough * rng.normal() / m**0.8 * np.cos(m * t + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.25, 2.0) * r
    p = np.stack([radius * np.cos(t) * np.sqrt(long), radius * np.sin(t) / np.sqrt(long)], 1)
    return turn(p, angle) + (x, y)


def turn(points: Array, angle: float) -> Array:
    """Rotate points about the origin by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def fill(n: int, *outlines: Array, size: tuple[int, int] | None = None, offset: tuple[float, float] = (0, 0)) -> Array:
    """Antialiased coverage in [0, 1] of outlines, even-odd: an outline inside another is a hole."""
    h, w = size or (n, n)
    mask = np.zeros((h, w), np.uint8)
    fixed = [np.round((p - offset) * (1 << _SHIFT)).astype(np.int32) for p in outlines]
    cv2.fillPoly(mask, fixed, 255, lineType=cv2.LINE_AA, shift=_SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def stroke(n: int, points: Array, width: float, closed: bool = False) -> Array:
    """Antialiased line in [0, 1]; below one pixel the line gets fainter, not thinner."""
    mask = np.zeros((n, n), np.uint8)
    fixed = [np.round(points * (1 << _SHIFT)).astype(np.int32)]
    cv2.polylines(mask, fixed, closed, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) * np.float32(min(1.0, max(width, 0.25)) / 255)


def walk(rng: Rng, start: Tone, angle: float, length: float, wiggle: float, k: int = 24) -> Array:
    """A wandering path: k + 1 points from `start` in direction `angle`, turning by N(0, wiggle) radians a step."""
    turns = angle + np.cumsum(rng.normal(0, wiggle, k))
    steps = np.stack([np.cos(turns), np.sin(turns)], 1) * (length / k)
    return np.concatenate([[[0.0, 0.0]], np.cumsum(steps, 0)]) + np.asarray(start)


# --- solid bodies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finish:
    """How a body takes light: a rim rounded over `bevel` pixels, shading, highlights, shadow."""

    bevel: float = 4.0
    depth: float = 0.5
    shine: float = 0.2
    hardness: float = 20.0
    shadow: float = 0.35
    reach: float = 3.0


def body(
    canvas: Array, outlines: Sequence[Array], albedo: Tone, light: Light, finish: Finish
) -> tuple[Array, tuple[int, int, int, int]]:
    """Paint a rounded, lit, shadow-casting body in place; returns (alpha of its box, box as y0, y1, x0, x1).

    `albedo` is a colour or a full canvas (n, n, 3) to take texture from.
    """
    n = canvas.shape[0]
    pad = int(3 + finish.reach * 2.5)
    low, high = outlines[0].min(0), outlines[0].max(0)
    x0, y0 = (int(max(0, np.floor(v) - pad)) for v in low)
    x1, y1 = (int(min(n, np.ceil(v) + pad + 1)) for v in high)
    if x1 - x0 < 3 or y1 - y0 < 3:
        return np.zeros((0, 0), np.float32), (0, 0, 0, 0)
    alpha = fill(n, *outlines, size=(y1 - y0, x1 - x0), offset=(x0, y0))
    view = canvas[y0:y1, x0:x1]
    if finish.shadow > 0:
        move = np.array([[1, 0, -light[0] * finish.reach], [0, 1, -light[1] * finish.reach]], np.float64)
        dark = cv2.warpAffine(alpha, move, (x1 - x0, y1 - y0))
        view *= (1 - np.float32(finish.shadow) * blur(dark, finish.reach * 0.6))[..., None]
    paint = np.asarray(albedo, np.float32)
    if paint.ndim == 3:
        paint = paint[y0:y1, x0:x1]
    view += (lit(alpha, paint, light, finish) - view) * alpha[..., None]
    return alpha, (y0, y1, x0, x1)


def lit(alpha: Array, paint: Array, light: Light, finish: Finish) -> Array:
    """The shaded surface of a body whose rim is rounded over `bevel` pixels."""
    if finish.bevel <= 0:
        return np.broadcast_to(paint, (*alpha.shape, 3))
    solid = np.pad((alpha > 0.5).astype(np.uint8), 1)
    dist = cv2.distanceTransform(solid, cv2.DIST_L2, 5)[1:-1, 1:-1]
    t = 1 - np.clip(dist / np.float32(finish.bevel), 0, 1)
    height = blur(np.sqrt(np.clip(1 - t * t, 0, 1)) * np.float32(finish.bevel), 0.8 + finish.bevel * 0.08)
    surface = paint * relief(height, light, finish.depth)[..., None]
    if finish.shine > 0:
        surface = surface + np.float32(finish.shine) * gloss(height, light, finish.hardness)[..., None]
    return np.clip(surface, 0, 1.3)


def barrel(n: int, x: float, y: float, angle: float, half: float, rng: Rng) -> Array:
    """Brightness across a cylinder lying along `angle`: (n, n) around 1, with a soft band of light."""
    xs, ys = (
        np.arange(n, dtype=np.float32)[None, :] - np.float32(x),
        np.arange(n, dtype=np.float32)[:, None] - np.float32(y),
    )
    v = np.clip((ys * np.float32(np.cos(angle)) - xs * np.float32(np.sin(angle))) / np.float32(half), -1, 1)
    band = np.exp(-(((v - rng.uniform(-0.6, 0.6)) / rng.uniform(0.08, 0.3)) ** 2)) * np.float32(rng.uniform(0.1, 0.7))
    return 0.35 + 0.65 * np.sqrt(1 - 0.97 * v * v) + band


_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_TRIPLEX)
_LETTERS = tuple("ABCDEFGHJKLMNPRSTUVWXYZ0123456789")


def words(rng: Rng, length: int | None = None) -> str:
    """Letters and digits as printed on parts."""
    k = int(rng.integers(1, 8)) if length is None else length
    return "".join(rng.choice(_LETTERS, k))


def text(rng: Rng, n: int, x: float, y: float, height: float, content: str, angle: float = 0.0) -> Array:
    """Coverage (n, n) of a line of text centred on (x, y), capital letters `height` pixels tall, turned by `angle`."""
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    (_, base), _ = cv2.getTextSize(content, font, 1.0, 1)
    scale = max(height, 3.0) / max(base, 1)
    thick = max(1, round(height * rng.uniform(0.06, 0.2)))
    (w, h), _ = cv2.getTextSize(content, font, scale, thick)
    mask: Array = np.zeros((n, n), np.uint8)
    cv2.putText(mask, content, (round(x - w / 2), round(y + h / 2)), font, scale, 255, thick, cv2.LINE_AA)
    if abs(angle) > 0.02:
        mask = cv2.warpAffine(mask, cv2.getRotationMatrix2D((x, y), -np.degrees(angle), 1), (n, n))
    return mask.astype(np.float32) / np.float32(255)


def speckle(rng: Rng, n: int, strength: float, sigma: float = 0.0) -> Array:
    """Multiplicative grain around 1 (n, n)."""
    grain = white(rng, n, n)
    if sigma > 0:
        grain = blur(grain, sigma) * np.float32(1 + 3.0 * sigma)
    return 1 + np.float32(strength) * grain
