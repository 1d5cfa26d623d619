"""What a family hands over: a picture with everything a defect needs to know about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .noise import Array, Rng
from .paint import Light


@dataclass
class Part:
    """A thing that can go missing, turn or double: its alpha inside `box` (y0, y1, x0, x1), the canvas before it."""

    alpha: Array
    box: tuple[int, int, int, int]
    behind: Array
    noun: str = "part"


@dataclass
class Scene:
    """A normal picture before the camera.

    image: float32 (n, n, 3) in [0, 1]. where: bool (n, n), the pixels a defect may touch.
    behind: what shows where the object breaks away. grain: direction of the texture, radians, None if it has none.
    period: pixels between repeats (thread, tooth, row). prints: alpha of printed matter. colour: name for the caption.
    """

    image: Array
    subject: str
    where: Array
    light: Light
    behind: Array | None = None
    parts: list[Part] = field(default_factory=list)
    prints: Array | None = None
    grain: float | None = None
    period: float = 6.0
    colour: str = ""
    traits: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Side of the canvas in pixels."""
        return int(self.image.shape[0])


Renderer = Callable[[int, Rng], Scene]


@dataclass(frozen=True)
class Family:
    """One row of the table of subjects: how to draw it and what the camera and the defects should know.

    domain: "texture", "object", "assembly", "medical", "electronics" or "print". traits: keys that defects ask for.
    camera: name of a camera profile. free: the picture may be turned to any angle. weight: relative frequency.
    world: the first version of the table that has it; pretraining begins in world 1 and ends in the whole one.
    """

    name: str
    renderer: Renderer
    domain: str
    traits: frozenset[str]
    camera: str = "photo"
    free: bool = False
    weight: float = 1.0
    world: int = 1


def anywhere(n: int) -> Array:
    """The whole canvas is open to defects."""
    return np.ones((n, n), bool)


def lamp(rng: Rng) -> Light:
    """A direction to the light, unit length, mostly from above."""
    angle = -np.pi / 2 + rng.normal(0, 1.0)
    return float(np.cos(angle)), float(np.sin(angle))
