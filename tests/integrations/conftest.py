"""An output folder of a real run on pictures with bright defects, by the small random CLIP."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.cli import main

SIZE = (64, 48)


@pytest.fixture(scope="session")
def results_of(tmp_path_factory: pytest.TempPathFactory, golden_folder: Path) -> Callable[..., Path]:
    """results_of("--findings", "cvat") runs `detect` on 3 pictures and one that cannot be read; gives its folder."""
    pictures = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number}.png")
    (pictures / "bad.png").write_text("broken")
    small = [
        "--model",
        str(golden_folder / "clip_small_openai.safetensors"),
        "--prompts",
        str(golden_folder / "epoch_1.pth"),
    ]
    small += ["--image-size", "70", "--layers", "6"]

    @functools.cache
    def run(*options: str) -> Path:
        folder = tmp_path_factory.mktemp("run") / "out"
        given = ["--threshold", "0.5", "--pixel-threshold", "0.55", "--no-report", "--quiet", "--output", str(folder)]
        with pytest.raises(SystemExit) as ended:
            main(["detect", str(pictures), *small, *given, *options])
        assert ended.value.code == 3, "one failed"
        return folder

    return run
