"""How an image is laid out before the model: tiles, scales, proportions. Values, defaults and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from anomalyclip.settings.layout import LAYOUT

DEFAULT_OVERLAP = 0.25


class Box(NamedTuple):
    """A rectangle in whole pixels of the upright image."""

    x: int
    y: int
    width: int
    height: int


class Layout(TypedDict, total=False):
    """The keywords by which Python code lays images out: those of `Geometry`, and of `Areas.open` for a whole run.

    roi: a box (x, y, width, height), a mask (bool or uint8 (height, width), true inside) or its file.
    ignore_mask: a mask that is true where to ignore, its file, or a folder of masks by the images' names.
    """

    tile: int | None
    overlap: float | None
    scales: Sequence[float] | None
    keep_aspect: bool | None
    roi: Any
    ignore_mask: Any


@dataclass(frozen=True)
class Geometry:
    """Layout of an image before the model; the default is one view of the whole image, squeezed to the model's square.

    Attributes:
        tile: side in pixels of the image that one view covers at scale 1; None is the whole image.
        overlap: least share of a tile that it has in common with the next one, 0 to 0.75.
        scales: magnifications whose maps and scores are averaged. With tiles, scale s cuts tiles of ``tile / s``
            pixels; without, the image is fed at s times the model's own input size.
        keep_aspect: feed views that are not square as whole patches in (nearly) their own proportions.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    tile: int | None = None
    overlap: float = DEFAULT_OVERLAP
    scales: tuple[float, ...] = (1.0,)
    keep_aspect: bool = False

    def __post_init__(self) -> None:
        for setting in LAYOUT:
            setting.value(getattr(self, setting.name, None))

    @property
    def plain(self) -> bool:
        """Whether every image goes through the model once, as a square."""
        return self == Geometry(overlap=self.overlap)

    @property
    def resizes(self) -> bool:
        """Whether the model is fed other input sizes than its own."""
        return self.keep_aspect or (self.tile is None and self.scales != (1.0,))

    @property
    def several(self) -> bool:
        """Whether an image can go through the model in more than one view."""
        return self.tile is not None or self.scales != (1.0,)

    def settings(self) -> dict[str, Any]:
        """What differs from the plain layout, JSON-ready; {} where nothing does."""
        told: dict[str, Any] = {}
        if self.tile is not None:
            told |= {"tile": self.tile, "overlap": self.overlap}
        if self.scales != (1.0,):
            told["scales"] = list(self.scales)
        return told | ({"keep_aspect": True} if self.keep_aspect else {})
