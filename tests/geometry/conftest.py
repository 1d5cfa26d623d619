"""Detectors whose right answer is known for every pixel: brightness, and the small random CLIP for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from anomalyclip.model import AnomalyCLIP


class Brightness:
    """The map is the brightness of the resized view, the score (1 - w) * mean + w * peak. Takes its own size only."""

    def __init__(self, side: int = 32, peak_share: float = 0.5) -> None:
        self.side, self.peak_share = side, peak_share
        self.shapes: list[tuple[int, ...]] = []

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        pixels = np.asarray(image.resize((self.side, self.side), Image.Resampling.BILINEAR), dtype=np.float32) / 255
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.shapes.append(tuple(pixel_values.shape))
        maps = pixel_values.mean(dim=1)
        mean, peak = maps.mean(dim=(1, 2)), maps.amax(dim=(1, 2))
        return (1 - self.peak_share) * mean + self.peak_share * peak, maps

    def provenance(self) -> dict[str, Any]:
        return {"model": "brightness", "prompts": "none", "settings": {"map_weight": self.peak_share}}


@pytest.fixture
def brightness() -> Brightness:
    return Brightness()


@pytest.fixture(scope="session")
def small_clip(golden_folder: Path) -> AnomalyCLIP:
    """Patches of 14 pixels, six blocks; half of the score is the map's peak."""
    clip, prompts = golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"
    return AnomalyCLIP.from_files(clip, prompts, layers=[2, 4, 6], image_size=70, map_weight=0.5)


@pytest.fixture
def noise() -> Any:
    """noise(width, height, seed) is an RGB image of smooth noise."""

    def make(width: int, height: int, seed: int = 0) -> Image.Image:
        rng = np.random.default_rng(seed)
        small = rng.integers(0, 256, (max(2, height // 6), max(2, width // 6), 3), dtype=np.uint8)
        return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)

    return make
