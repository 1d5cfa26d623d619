"""A model without weights: the score is the image's mean brightness, the map its brightness pixel by pixel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect import InputItem, Provenance, Result
from anomalyclip.detect.names import path_key
from anomalyclip.detector import Detector
from anomalyclip.encoders import EncoderFacts

SIDE = 16


class BrightnessModel(Detector):
    """Images of pure (255, 0, 255) make a whole batch fail. `told` says when batches began and were judged."""

    ahead = False

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.told: list[str] = []
        self.threads: set[int] = set()
        facts = EncoderFacts("brightness", "", 1, SIDE, 0, 0, 0, resizes=False)
        self.encoder = SimpleNamespace(facts=facts, runtime="torch", device="cpu")
        self.judge = SimpleNamespace(peak=(0.0, 0.0), whole_batch=False)
        self.settings = SimpleNamespace(image_size=SIDE)

    def preprocess(self, image: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
        pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
        return pixels.transpose(2, 0, 1)

    def begin(self, pixels: np.ndarray) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        number = sum(word.startswith("begun") for word in self.told)
        self.told.append(f"begun {number}")

        def judged() -> tuple[np.ndarray, np.ndarray]:
            self.told.append(f"judged {number}")
            return self.predict(pixels)

        return judged

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.batches.append(len(pixels))
        self.threads.add(threading.get_ident())
        magenta = np.array([1.0, 0.0, 1.0])[:, None, None]
        if any((one == magenta).all() for one in pixels):
            raise RuntimeError("magenta\nis not supported")
        maps = pixels.mean(axis=1)
        return maps.mean(axis=(1, 2)), maps


@pytest.fixture
def model() -> BrightnessModel:
    return BrightnessModel()


@pytest.fixture
def own_threads() -> Callable[[], list[threading.Thread]]:
    """Our threads that began in this test; a kernel's stay, where other tests of the process ran one."""
    before = set(threading.enumerate())
    return lambda: [t for t in threading.enumerate() if t not in before and t.name.startswith("anomalyclip-")]


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
