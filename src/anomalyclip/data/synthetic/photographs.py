"""Families whose ground is a photograph of a surface: real grain and light under the renderer's own defects.

The photographs do not come with the package; who trains gathers them (:mod:`anomalyclip.pretraining.photographs`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .noise import Array, Rng, chance
from .scene import Family, Renderer, Scene, anywhere, lamp

_LEAST_SIDE = 200  # pixels of a photograph that a scene shows at least; fewer would be a blur
_LEAST_SHARE = 0.3  # of its side


class Photograph(NamedTuple):
    """A picture of one material without a defect. traits: as of a :class:`Family`."""

    path: Path
    subject: str
    traits: str


def families(photographs: list[Photograph]) -> list[Family]:
    """One family for each photograph, to be handed to :func:`render`."""
    return [
        Family(
            f"photograph-{one.path.stem}", _renderer(one), "texture", frozenset(one.traits.split()), "inspection", True
        )
        for one in photographs
    ]


def _renderer(photograph: Photograph) -> Renderer:
    def surface(n: int, rng: Rng) -> Scene:
        """A square of the photograph, turned, now and then without its colour or in another."""
        whole = _pixels(photograph.path)
        side = min(whole.shape[:2])
        shown = int(side * rng.uniform(max(_LEAST_SHARE, min(1.0, _LEAST_SIDE / side)), 1))
        y, x = (int(rng.integers(length - shown + 1)) for length in whole.shape[:2])
        how = cv2.INTER_AREA if shown > n else cv2.INTER_CUBIC
        square = cv2.resize(whole[y : y + shown, x : x + shown], (n, n), interpolation=how)
        image = np.rot90(square, int(rng.integers(4))).astype(np.float32) / np.float32(255)
        if chance(rng, 0.3):
            image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
        if chance(rng, 0.3):
            image = image * rng.uniform(0.75, 1.2, 3).astype(np.float32)
        return Scene(np.ascontiguousarray(np.clip(image, 0, 1)), photograph.subject, anywhere(n), lamp(rng))

    return surface


@lru_cache(maxsize=64)
def _pixels(path: Path) -> Array:
    """RGB uint8 (H, W, 3)."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
