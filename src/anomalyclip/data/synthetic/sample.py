"""What a render is: the picture, where its defects lie, and words for all of it."""

from __future__ import annotations

from dataclasses import dataclass

from .noise import Array


@dataclass(frozen=True)
class Region:
    """One defect: its value in the label map, its key in DEFECTS, and words such as "a long thin scratch"."""

    index: int
    kind: str
    caption: str


@dataclass(frozen=True)
class Sample:
    """One rendered picture.

    image: uint8 (S, S, 3) RGB. labels: uint8 (S, S), 0 normal, i = regions[i - 1]. caption: of this picture;
    normal_caption: of the same scene without defects.
    """

    image: Array
    labels: Array
    caption: str
    normal_caption: str
    regions: tuple[Region, ...]
    subject: str
    family: str
    domain: str
    anomalous: bool
