"""A model without weights: the score is the image's mean brightness, the map its brightness pixel by pixel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anomalyclip.detect import InputItem, Provenance, Result
from anomalyclip.detect.names import path_key

SIDE = 16


class BrightnessModel:
    """Follows `anomalyclip.detect.Detector`. Images of pure (255, 0, 255) make a whole batch fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[int] = set()

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.batches.append(len(pixel_values))
        self.threads.add(threading.get_ident())
        magenta = torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1)
        if any(torch.equal(one, magenta.expand_as(one)) for one in pixel_values):
            raise RuntimeError("magenta\nis not supported")
        maps = pixel_values.mean(dim=1)
        return maps.mean(dim=(1, 2)), maps


@pytest.fixture
def model() -> BrightnessModel:
    return BrightnessModel()


@pytest.fixture
def png(tmp_path: Path) -> Callable[..., Path]:
    """png("a/b.png", grey=128, size=(8, 6)) writes a plain image below tmp_path and gives its path."""

    def write(
        name: str, grey: int = 128, size: tuple[int, int] = (8, 6), colour: tuple[int, int, int] | None = None
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour or (grey, grey, grey)).save(path)
        return path

    return write


@pytest.fixture
def provenance() -> Provenance:
    return Provenance("stub", "none", {"image_size": SIDE, "threshold": 0.5, "version": "0"})


@pytest.fixture
def result_of() -> Callable[..., Result]:
    """result_of("a.png", score=0.7) makes a Result as the stream would."""

    def make(path: str, score: float | None = 0.5, error: str | None = None, **more: object) -> Result:
        item = InputItem(path, Path(path).stem, path_key(path))
        decision = None if score is None else "anomalous" if score >= 0.5 else "normal"
        return Result(item, 8, 6, score, decision, error=error, **more)  # type: ignore[arg-type]

    return make
