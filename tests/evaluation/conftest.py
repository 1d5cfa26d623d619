"""Tiny rendered data sets in MVTec AD's layout, and the small random CLIP: every step but good scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.detector import Detector
from anomalyclip.opening import from_files

SIZE = (60, 48)  # (width, height)
Tree = Callable[..., Path]


@pytest.fixture(scope="session")
def small_files(golden_folder: Path) -> dict[str, Path]:
    """clip and prompts of the small CLIP."""
    return {"clip": golden_folder / "clip_small_openai.safetensors", "prompts": golden_folder / "epoch_1.pth"}


@pytest.fixture(scope="session")
def model(small_files: dict[str, Path]) -> Detector:
    """The small CLIP as the reference ran it."""
    return from_files(**small_files, layers=[2, 4, 6], image_size=70, dpam_blocks=4, name="small")


@pytest.fixture(scope="session")
def tree() -> Tree:
    """tree(folder, {"bottle": (3, 4)}) writes 3 normal and 4 anomalous test images with masks; gives the folder."""

    def write(folder: Path, classes: dict[str, tuple[int, int]], seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        for name, (normal, anomalous) in classes.items():
            for kind in ("test/good", "test/scratch", "ground_truth/scratch", "train/good"):
                (folder / name / kind).mkdir(parents=True)
            for number in range(normal):
                Image.fromarray(_texture(rng)).save(folder / name / "test/good" / f"{number:03d}.png")
            for number in range(anomalous):
                pixels, mask = _scratched(rng)
                Image.fromarray(pixels).save(folder / name / "test/scratch" / f"{number:03d}.png")
                Image.fromarray(mask).save(folder / name / "ground_truth/scratch" / f"{number:03d}_mask.png")
            Image.fromarray(_texture(rng)).save(folder / name / "train/good/000.png")
        return folder

    return write


@pytest.fixture(scope="session")
def dataset_of() -> Callable[[Path], Dataset]:
    """Reads what `tree` wrote, without the readers of `anomalyclip.data`."""

    def read(folder: Path) -> Dataset:
        items = []
        for image in sorted(folder.glob("*/test/*/*.png")):
            name, kind = image.parts[-4], image.parent.name
            mask = folder / name / "ground_truth" / kind / f"{image.stem}_mask.png"
            label = int(kind != "good")
            items.append(Item(image, mask if label else None, label, name, kind, has_mask=True))
        return Dataset("tiny", folder, "test", tuple(items))

    return read


def _texture(rng: np.random.Generator) -> np.ndarray:
    width, height = SIZE
    return (rng.integers(90, 140, (height, width, 1)) + rng.integers(0, 30, 3)).astype(np.uint8)


def _scratched(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two bright boxes of different size: two regions."""
    pixels, mask = _texture(rng), np.zeros(SIZE[::-1], np.uint8)
    for left, side in ((rng.integers(2, 15), 12), (rng.integers(32, 44), 7)):
        top = rng.integers(2, 30)
        pixels[top : top + side, left : left + side] = 255 - pixels[top : top + side, left : left + side]
        mask[top : top + side, left : left + side] = 255
    return pixels, mask
