"""Slices of a real head: one healthy person's averaged MRI (Colin27), bent, tilted and given other contrasts.

Only the anatomy is real. Contrasts are remapped grey levels, so they stand for T1, T2, FLAIR, PD and CT in looks alone.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from .medical_scans import grey
from .noise import Array, Rng, blur, chance, coords, smooth, white
from .paint import text, words
from .scene import Scene, lamp

_LEVELS = (0.0, 0.10, 0.24, 0.33, 0.435, 0.60, 0.85)  # of the volume: air, fluid's core, fluid's rim, grey, white, fat
_INSIDE: dict[str, tuple[float, ...]] = {  # what those levels become inside the brain
    "T1": (0.0, 0.10, 0.26, 0.42, 0.62, 0.75, 0.9),
    "T2": (1.0, 0.98, 0.80, 0.52, 0.34, 0.30, 0.3),
    "FLAIR": (0.04, 0.06, 0.28, 0.50, 0.38, 0.36, 0.4),
    "PD": (0.8, 0.75, 0.72, 0.62, 0.48, 0.45, 0.4),
    "CT": (0.14, 0.18, 0.32, 0.43, 0.37, 0.38, 0.4),
}
_OUTSIDE: dict[str, tuple[float, ...]] = {  # and outside it, where the dark stuff is bone and air
    "T1": (0.0, 0.06, 0.18, 0.34, 0.50, 0.75, 1.0),
    "T2": (0.0, 0.10, 0.30, 0.30, 0.40, 0.60, 0.8),
    "FLAIR": (0.0, 0.05, 0.16, 0.26, 0.36, 0.55, 0.75),
    "PD": (0.0, 0.10, 0.26, 0.38, 0.45, 0.60, 0.8),
    "CT": (0.0, 0.95, 0.85, 0.45, 0.30, 0.20, 0.15),
}


class Volume(NamedTuple):
    """head: uint8 (Z, Y, X), 1 mm, feet to crown, back to front, in quarters of the grey level; brain: bool, alike."""

    head: Array
    brain: Array


@lru_cache(maxsize=1)
def volume() -> Volume:
    """Read the embedded head."""
    path = files("anomalyclip") / "assets" / "colin27" / "head.npz"
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        packed = archive["packed"]
    return Volume(packed >> 1 << 2, (packed & 1).astype(bool))


def head_mri(n: int, rng: Rng) -> Scene:
    """A slice through a head in any of five contrasts, nearly axial most of the time."""
    whole = volume()
    plane = int(rng.choice(3, p=[0.78, 0.10, 0.12]))
    at = _plane(rng, n, plane, whole.head.shape)
    level = _sample(whole.head, at) / np.float32(255)
    inside = _sample(whole.brain.astype(np.uint8), at)
    contrast = str(rng.choice(list(_INSIDE)))
    jitter = 1 + rng.normal(0, 0.06, len(_LEVELS))
    brain = np.interp(level, _LEVELS, np.multiply(_INSIDE[contrast], jitter)).astype(np.float32)
    shell = np.interp(level, _LEVELS, _OUTSIDE[contrast]).astype(np.float32) * np.float32(rng.uniform(0.5, 1.1))
    soft = np.clip(inside, 0, 1)
    bare = chance(rng, 0.12)  # skull-stripped, as many archives are
    value = brain * soft + (0 if bare else 1) * shell * (1 - soft)
    value *= 1 + np.float32(rng.uniform(0, 0.14)) * smooth(rng, n, 1.3)
    value += white(rng, n, n) * np.float32(rng.uniform(0, 0.02)) * (value > 0.03)
    if chance(rng, 0.3):
        value = blur(value, rng.uniform(0.4, 1.1) * n / 215)
    value = value * np.float32(rng.uniform(0.75, 1.25))
    if chance(rng, 0.2):
        line = text(rng, n, n * 0.09, n * rng.choice([0.08, 0.9]), n * 0.03, words(rng, int(rng.integers(1, 4))))
        value = np.maximum(value, 0.8 * line)
    subject = str(rng.choice(["brain scan", "brain MRI", "brain", "head scan"]))
    return Scene(grey(value), subject, inside > 0.98, lamp(rng), colour="grey", period=n / 14)


def _plane(rng: Rng, n: int, plane: int, shape: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """Where each pixel of the picture lies in the volume: (z, y, x) in voxels, each float32 (n, n)."""
    u, v = coords(n)
    mm = np.float32(rng.uniform(205, 275) / n)
    u, v = u * mm, v * mm
    u, v = u * np.float32(rng.uniform(0.93, 1.08)) + rng.normal(0, 3), v + rng.normal(0, 3)
    bend = [smooth(rng, n, rng.uniform(1.5, 5)) * np.float32(rng.uniform(0.5, 4.0)) for _ in range(3)]
    tilt_u, tilt_v = (np.float32(np.tan(rng.normal(0, 0.12))) for _ in range(2))
    middle = [side / 2 for side in shape]
    if plane == 0:  # axial, nose up
        z = rng.uniform(0.18, 0.86) * shape[0] + u * tilt_u + v * tilt_v
        place = (z, middle[1] - v, middle[2] + u)
    elif plane == 1:  # coronal, crown up
        y = rng.uniform(0.25, 0.8) * shape[1] + u * tilt_u + v * tilt_v
        place = (middle[0] - v, y, middle[2] + u)
    else:  # sagittal, crown up
        x = (0.5 + rng.choice([-1, 1]) * rng.uniform(0.0, 0.25)) * shape[2] + u * tilt_u + v * tilt_v
        place = (middle[0] - v, middle[1] + u * np.float32(rng.choice([-1, 1])), x)
    return tuple(axis + shift for axis, shift in zip(place, bend, strict=True))


def _sample(values: Array, at: tuple[Array, Array, Array]) -> Array:
    """Trilinear reading of a volume, zero outside: float32 (n, n)."""
    shape = np.array(values.shape)
    low = [np.floor(axis).astype(np.int64) for axis in at]
    part = [(axis - base).astype(np.float32) for axis, base in zip(at, low, strict=True)]
    total = np.zeros(at[0].shape, np.float32)
    for corner in range(8):
        bits = [(corner >> k) & 1 for k in range(3)]
        index = [base + bit for base, bit in zip(low, bits, strict=True)]
        weight = np.ones_like(total)
        for bit, fraction in zip(bits, part, strict=True):
            weight = weight * (fraction if bit else 1 - fraction)
        valid = np.all([(i >= 0) & (i < side) for i, side in zip(index, shape, strict=True)], axis=0)
        clipped = [np.clip(i, 0, side - 1) for i, side in zip(index, shape, strict=True)]
        total += weight * valid * values[clipped[0], clipped[1], clipped[2]]
    return total
