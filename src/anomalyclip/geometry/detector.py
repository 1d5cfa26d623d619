"""What a detector must offer: the least, and what other input sizes need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from anomalyclip.geometry.settings import Geometry


class Detector(Protocol):
    """The part of `anomalyclip.model.AnomalyCLIP` that detection needs."""

    def preprocess(self, image: Image) -> torch.Tensor:
        """RGB image -> (3, S, S) float32."""

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, S, S) -> scores (B,), maps (B, S, S), both in [0, 1]."""


@runtime_checkable
class ResizingDetector(Protocol):
    """A detector that takes other input sizes than its own."""

    @property
    def image_size(self) -> int:
        """Side in pixels of its own, square input."""

    @property
    def patch_size(self) -> int:
        """Input sides are multiples of it."""

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> torch.Tensor:
        """RGB image -> (3, H, W) float32 for size (H, W); None is its own square."""

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, H, W) -> scores (B,), maps (B, H, W), both in [0, 1]."""


def check_detector(model: Detector, geometry: Geometry) -> None:
    """Raises ConfigError where the geometry needs input sizes that the detector does not take."""
    if geometry.resizes and not isinstance(model, ResizingDetector):
        raise ConfigError(
            f"{type(model).__name__} takes one input size only, so neither other proportions nor other scales of the "
            "whole image: use tiles (--tile, with --scales if wanted), or the torch runtime"
        )


def peak_share(model: Any) -> float:
    """The share of the map's peak in this detector's image score (`map_weight`), 0 where it says nothing of it."""
    told = model.provenance()["settings"] if hasattr(model, "provenance") else {}
    return float(told.get("map_weight") or 0.0)
