"""Faults painted on a good picture: ten kinds, in any size and contrast. Pure NumPy and OpenCV.

Every painter takes an RGB picture (H, W, 3) uint8, a size in pixels (how far it reaches), a contrast in (0, 1] (share
of the grey scale), and a generator; it gives the painted picture and where it changed, bool (H, W).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from anomalyclip.calibration.selftest.shapes import blob, line, place, smooth, walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.float32]
    Painter = Callable[[Picture, float, float, np.random.Generator], tuple[Picture, NDArray[np.bool_]]]


LARGEST = 4_000_000
"""Pixels of what is painted as it is."""
_LONGEST = 16_384  # pixels of a side; OpenCV turns nothing longer than 32,767


def paint(
    kind: str, picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """One fault of a kind of :data:`KINDS`: the painted picture, and where it is (bool (H, W), at least one pixel).

    On a large picture it is painted small, and what it changes is enlarged: painters hold several floating-point
    copies, a gigabyte each for what a scanner gives.
    """
    height, width = picture.shape[:2]
    shrink = max(math.sqrt(height * width / LARGEST), max(height, width) / _LONGEST)
    if shrink <= 1:
        return KINDS[kind](picture, size, contrast, rng)
    sides = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = np.asarray(cv2.resize(picture, sides, interpolation=cv2.INTER_AREA), np.uint8)
    painted, where = KINDS[kind](small, size / shrink, contrast, rng)
    change = cv2.resize(painted.astype(np.int16) - small, (width, height), interpolation=cv2.INTER_LINEAR)
    np.clip(np.add(change, picture, out=change), 0, 255, out=change)
    larger = cv2.resize(where.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return change.astype(np.uint8), larger.view(np.bool_)


def scratch(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A thin, nearly straight line, brighter or darker than its ground."""
    mask = line(picture.shape[:2], walk(place(picture, rng), 2 * size, 0.05, rng), max(1.0, size / 12))
    return _shaded(picture, mask, contrast * rng.choice([-1, 1]))


def crack(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A dark, jagged line with a branch."""
    shape, thickness = picture.shape[:2], max(1.0, size / 16)
    path = walk(place(picture, rng), 1.8 * size, 0.6, rng)
    root = path[rng.integers(len(path))]
    mask = line(shape, path, thickness)
    mask = np.maximum(mask, line(shape, walk((root[0], root[1]), 0.7 * size, 0.6, rng), 0.7 * thickness))
    return _shaded(picture, mask, -contrast)


def hole(picture: Picture, size: float, contrast: float, rng: np.random.Generator) -> tuple[Picture, NDArray[np.bool_]]:
    """A dark spot with a light rim on one side."""
    centre = place(picture, rng)
    mask = blob(picture.shape[:2], centre, 0.7 * size, rng, 0.03)
    shift = np.array([[1, 0, size / 16], [0, 1, size / 16]], np.float32)
    rim = np.maximum(cv2.warpAffine(mask, shift, mask.shape[::-1]) - mask, 0)
    return _changed(picture, _add(picture, -contrast * mask + 0.4 * contrast * rim), np.maximum(mask, rim))


def stain(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A soft, tinted patch through which the ground shows."""
    mask = blob(picture.shape[:2], place(picture, rng), size, rng, 0.12)
    tint = _tinted(picture, rng.uniform(0.2, 1.0, 3)) * rng.choice([-1, 1], p=[0.7, 0.3])
    return _changed(picture, _add(picture, contrast * mask[..., None] * tint), mask)


def dent(picture: Picture, size: float, contrast: float, rng: np.random.Generator) -> tuple[Picture, NDArray[np.bool_]]:
    """A hollow: dark towards the light, bright away from it."""
    centre = place(picture, rng)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    x, y = (x - centre[0]) / (size / 2.6), (y - centre[1]) / (size / 2.6)
    bowl, light = np.exp(-(x**2 + y**2)), rng.uniform(0, 2 * np.pi)
    shade = (x * np.cos(light) + y * np.sin(light)) * bowl * (contrast / 0.43)
    return _changed(picture, _add(picture, shade), bowl)


def contamination(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A foreign body with a colour and a grain of its own: a crumb, or a fibre."""
    shape, centre = picture.shape[:2], place(picture, rng)
    if rng.random() < 0.5:
        mask = blob(shape, centre, 0.6 * size, rng, 0.02)
    else:
        mask = line(shape, walk(centre, 1.5 * size, 0.35, rng), max(1.0, size / 10))
    ground = picture[mask > 0.3].mean() / 255 if (mask > 0.3).any() else 0.5
    level = ground + contrast * (1 if ground < 0.5 else -1)
    tint = _tinted(picture, rng.uniform(-0.3, 0.3, 3))
    colour = np.clip(level + contrast * tint + 0.05 * rng.normal(size=(*shape, 1)), 0, 1)
    return _blended(picture, (255 * colour).astype(np.float32), mask)


def missing_piece(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A piece is gone, and what lies at the picture's border shows through; contrast says how much of it."""
    mask = blob(picture.shape[:2], place(picture, rng), size, rng, 0.02)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    behind = edge[rng.integers(len(edge), size=64)].astype(np.float32)
    ground = np.median(behind, axis=0) + rng.normal(0, behind.std() / 4 + 1, picture.shape)
    return _blended(picture, ground.astype(np.float32), mask * np.float32(min(1.0, 2 * contrast)))


def misplacement(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A piece of the same picture, turned, where it does not belong."""
    height, width = picture.shape[:2]
    (x, y), (u, v) = place(picture, rng), place(picture, rng)
    turn = cv2.getRotationMatrix2D((u, v), float(rng.uniform(30, 330)), 1.0)
    turn[:, 2] += np.array([x - u, y - v])
    moved = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mask = blob((height, width), (x, y), size, rng, 0.02)
    return _blended(picture, moved.astype(np.float32), mask * np.float32(min(1.0, 2 * contrast)))


def faint_zone(
    picture: Picture, size: float, contrast: float, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_]]:
    """A wide area slightly lighter, darker or discoloured, without an edge."""
    mask = blob(picture.shape[:2], place(picture, rng), 2 * size, rng, 0.25)
    tint = rng.choice([-1, 1]) * _tinted(picture, 1 + rng.normal(0, 0.3, 3))
    return _changed(picture, _add(picture, 0.5 * contrast * mask[..., None] * tint), mask)


def blur(picture: Picture, size: float, contrast: float, rng: np.random.Generator) -> tuple[Picture, NDArray[np.bool_]]:
    """The ground's structure is smeared: worn, out of focus, or covered by a film."""
    mask = blob(picture.shape[:2], place(picture, rng), 1.4 * size, rng, 0.08)
    smeared = smooth(picture, 1 + 0.25 * size * contrast)
    return _blended(picture, smeared.astype(np.float32), mask)


KINDS: dict[str, Painter] = {
    "scratch": scratch,
    "crack": crack,
    "hole": hole,
    "stain": stain,
    "dent": dent,
    "contamination": contamination,
    "missing piece": missing_piece,
    "misplacement": misplacement,
    "faint zone": faint_zone,
    "blur": blur,
}


def _tinted(picture: Picture, tint: NDArray[np.float64]) -> NDArray[np.float64]:
    """A tint (3,) with no more colour than pictures of this kind have: a grey camera sees grey stains."""
    spread = float(np.ptp(picture[::4, ::4].astype(np.int16), axis=2).mean())
    mean = tint.mean()
    return np.asarray(mean + min(1.0, spread / 12) * (tint - mean))


def _shaded(picture: Picture, mask: Mask, amount: float) -> tuple[Picture, NDArray[np.bool_]]:
    return _changed(picture, _add(picture, amount * mask), mask)


def _add(picture: Picture, amount: NDArray[np.floating]) -> Picture:
    """Picture plus an amount (H, W[, 3]) in shares of the grey scale."""
    change = amount if amount.ndim == 3 else amount[..., None]
    return _rounded(picture + 255 * change)


def _blended(picture: Picture, other: NDArray[np.float32], mask: Mask) -> tuple[Picture, NDArray[np.bool_]]:
    return _changed(picture, _rounded(picture + mask[..., None] * (other - picture)), mask)


def _rounded(values: NDArray[Any]) -> Picture:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _changed(picture: Picture, painted: Picture, mask: Mask) -> tuple[Picture, NDArray[np.bool_]]:
    """Where the mask is at a third of its peak or more."""
    where = mask >= max(float(mask.max()) / 3, 1e-6)
    return painted, where
