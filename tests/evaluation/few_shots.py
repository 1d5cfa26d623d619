"""A set of striped and dotted pictures for few-shot evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def striped_set(folder: Path) -> Path:
    """Striped pictures: eight good ones to train, three to judge, three with a blot; and dots, five good, two bad."""
    rng = np.random.default_rng(0)
    for name, train, good, bad in (("stripes", 8, 3, 3), ("dots", 0, 5, 2)):
        for kind, count in (("train/good", train), ("test/good", good), ("test/blot", bad)):
            for number in range(count):
                place = folder / name / kind / f"{number:03d}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                wave = np.sin(np.arange(96) / 4 + rng.uniform(0, 6))
                pixels = 120 + 40 * wave[None, :, None] + rng.normal(0, 8, (96, 96, 3))
                if kind == "test/blot":
                    pixels[30:50, 30 + number : 60] = (200, 30, 30)
                    mask = np.zeros((96, 96), np.uint8)
                    mask[30:50, 30 + number : 60] = 255
                    truth = folder / name / "ground_truth/blot" / f"{number:03d}_mask.png"
                    truth.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask).save(truth)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place)
    return folder
