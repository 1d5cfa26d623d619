"""A tiny rendered data set in MVTec AD's layout, and the golden small CLIP's settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.data.synthetic import render
from anomalyclip.training import TrainConfig

CLIP_NAME = "clip_small_openai.safetensors"


def write_mvtec(root: Path, classes: tuple[str, ...], per_label: int, first_seed: int) -> None:
    """`per_label` normal and as many anomalous renders per class, with masks."""
    seed = first_seed
    for name in classes:
        for kind in ("good", "damage"):
            folder = root / name / "test" / kind
            folder.mkdir(parents=True)
            truth = root / name / "ground_truth" / "damage"
            truth.mkdir(parents=True, exist_ok=True)
            for index in range(per_label):
                sample = render(seed, 64, anomalous=kind == "damage")
                seed += 1
                Image.fromarray(sample.image).save(folder / f"{index:03}.png")
                if kind == "damage":
                    mask = (sample.labels > 0).astype(np.uint8) * 255
                    mask[:8, :8] = 255  # never empty
                    Image.fromarray(mask).save(truth / f"{index:03}_mask.png")
        train = root / name / "train" / "good"
        train.mkdir(parents=True)
        Image.fromarray(render(seed, 64, anomalous=False).image).save(train / "000.png")


def as_dataset(root: Path, name: str) -> Dataset:
    """What a reader gives for a tree of `write_mvtec`."""
    items = []
    for image in sorted(root.glob("*/test/*/*.png")):
        kind, class_name = image.parent.name, image.parents[2].name
        mask = root / class_name / "ground_truth" / kind / f"{image.stem}_mask.png" if kind != "good" else None
        items.append(Item(image, mask, int(kind != "good"), class_name, kind, True))
    return Dataset(name, root, "test", tuple(items))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 classes x 2 labels x 3 images = 12."""
    root = tmp_path_factory.mktemp("data") / "tiles"
    write_mvtec(root, ("alpha", "beta"), 3, 7000)
    return root


@pytest.fixture(scope="session")
def dataset(tree: Path) -> Dataset:
    return as_dataset(tree, "tiles")


@pytest.fixture(scope="session")
def image_only(dataset: Dataset) -> Dataset:
    """The same images with labels alone."""
    return replace(dataset, items=tuple(replace(item, mask=None, has_mask=False) for item in dataset.items))


@pytest.fixture
def config(tmp_path: Path, golden_folder: Path) -> TrainConfig:
    """The golden CLIP at its golden settings: 70 px, layers 2, 4, 6, the last 4 blocks dual; 2 epochs of 3 steps."""
    return TrainConfig(
        data=("unused",),
        output=str(tmp_path / "run"),
        model=str(golden_folder / CLIP_NAME),
        layers=(2, 4, 6),
        image_size=70,
        dpam_blocks=4,
        depth=5,
        batch_size=5,
        epochs=2,
        cache_dir=str(tmp_path / "cache"),
        cache_dtype="fp32",
        device="cpu",
    )
