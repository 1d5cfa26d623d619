"""How an image becomes a CLIP's input: which filter resizes it, and how its channels are normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from anomalyclip.clip.limits import check_choice, check_triple

Interpolation = Literal["bicubic", "bilinear", "lanczos", "box", "hamming", "nearest"]
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocessing:
    """How pixels in [0, 1] became the tower's input when it was trained: (pixel - mean) / std per channel.

    Attributes:
        mean, std: of red, green and blue.
        interpolation: the filter that resizes the image, by Pillow's name.
    """

    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        check_triple("mean", self.mean, low=-1, high=1)
        check_triple("std", self.std, low=1e-4, high=4)
        check_choice("interpolation", self.interpolation, get_args(Interpolation))
