"""Detectors whose right answer is known for every pixel: brightness, and the small random CLIP for the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detector import Detector
from anomalyclip.encoders import EncoderFacts
from anomalyclip.opening import from_files


class Brightness(Detector):
    """The map is the brightness of the resized view, the score (1 - w) * mean + w * peak. Takes its own size only."""

    def __init__(self, side: int = 32, share: float = 0.5) -> None:
        self.side, self.share = side, share
        facts = EncoderFacts("brightness", "", 1, side, 0, 0, 0, resizes=False)
        self.encoder = SimpleNamespace(facts=facts, runtime="torch", device="cpu")
        self.judge = SimpleNamespace(peak=(share, 0.0), whole_batch=False)
        self.settings = SimpleNamespace(image_size=side)
        self.shapes: list[tuple[int, ...]] = []

    def preprocess(self, image: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
        assert size is None
        pixels = np.asarray(image.resize((self.side, self.side), Image.Resampling.BILINEAR), dtype=np.float32) / 255
        return pixels.transpose(2, 0, 1)

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.shapes.append(pixels.shape)
        maps = pixels.mean(axis=1)
        mean, peak = maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))
        return (1 - self.share) * mean + self.share * peak, maps

    def provenance(self) -> dict[str, Any]:
        return {"model": "brightness", "prompts": "none", "settings": {"map_weight": self.share}}


@pytest.fixture
def brightness() -> Brightness:
    return Brightness()


@pytest.fixture(scope="session")
def small_clip(golden_folder: Path) -> Detector:
    """Patches of 14 pixels, six blocks; half of the score is the map's peak."""
    clip, prompts = golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"
    return from_files(clip, prompts, layers=[2, 4, 6], image_size=70, map_weight=0.5)


@pytest.fixture
def noise() -> Any:
    """noise(width, height, seed) is an RGB image of smooth noise."""

    def make(width: int, height: int, seed: int = 0) -> Image.Image:
        rng = np.random.default_rng(seed)
        small = rng.integers(0, 256, (max(2, height // 6), max(2, width // 6), 3), dtype=np.uint8)
        return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)

    return make
