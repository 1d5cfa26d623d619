"""The tiny pictures that commands of the documentation find under the names that its pages use."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

#: Folders of pictures -> how many. 25 support a false-positive rate of 5%, and what a smaller one is answered with.
FOLDERS = {
    "photos": 3, "typical-photos": 4, "good-parts": 25, "good": 25, "bad": 20, "camera-1": 25, "camera-2": 25,
    "today": 3, "incoming": 3, "parts": 3, "plates": 2, "strips": 2, "scans": 2, "archive": 8,
}  # fmt: skip
#: Labelled folders: good/, scratch/ and masks.
LABELLED = (
    "labelled", "other-labelled", "labelled-scans", "other-scans", "kept-parts", "my-labelled-parts", "other-parts",
    "mvtec", "v2",
)  # fmt: skip
SINGLE = ("part.png", "plate.png", "a.png", "b.jpg")
SIZE = (64, 48)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, golden_folder: Path) -> Path:
    """All of them in one folder, to be copied."""
    root, rng = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    for name, count in FOLDERS.items():
        (root / name).mkdir()
        for i in range(count):
            picture(rng).save(root / name / f"{i:03d}.png", compress_level=1)
    for name in LABELLED:
        labelled(root / name, rng)
    for name in SINGLE:
        picture(rng).save(root / name)
    (root / "rulers").mkdir()
    for target, last in ((root / "roi.png", 40), (root / "ruler.png", 12), (root / "rulers" / "000.png", 12)):
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        mask[4:last, 4:48] = 255
        Image.fromarray(mask).save(target)
    small_clip(golden_folder, root)
    return root


def picture(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def labelled(root: Path, rng: np.random.Generator) -> None:
    for kind in ("good", "scratch"):
        (root / kind).mkdir(parents=True)
        for i in range(3):
            picture(rng).save(root / kind / f"{i}.png", compress_level=1)
    (root / "ground_truth" / "scratch").mkdir(parents=True)
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[10:20, 10:30] = 255
    for i in range(3):
        Image.fromarray(mask).save(root / "ground_truth" / "scratch" / f"{i}_mask.png")


def small_clip(golden: Path, root: Path) -> None:
    """The small CLIP and its prompts, also under the names of the large one's files."""
    torch.save(load_file(golden / "clip_small_openai.safetensors"), root / "ViT-L-14-336px.pt")
    shutil.copy(golden / "open_clip_config.json", root)  # a state dict does not say what OpenAI's archive says
    shutil.copy(golden / "epoch_1.pth", root / "epoch_15.pth")


@pytest.fixture
def scratch(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the inputs to work in, with a cache of its own and no network."""
    folder = tmp_path / "work"
    shutil.copytree(inputs, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANOMALYCLIP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANOMALYCLIP_OFFLINE", "1")
    monkeypatch.setattr("anomalyclip.bench.ceiling._SHAPE", (137, 128, 256))  # a large model's product takes seconds
    return folder
