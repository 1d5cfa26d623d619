"""Tiny data sets on disk, written with Pillow alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.exported import HEIGHT, WIDTH

Put = Callable[..., Path]


@pytest.fixture(scope="session")
def put() -> Put:
    """put(path, value=120, size=(8, 6)): write a grey image of one value, its folders with it.

    part=True: a mask, of which only the left quarter has that value.
    """

    def write(path: Path, value: int = 120, size: tuple[int, int] = (8, 6), *, part: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".tif": "TIFF"}
        image = Image.new("L", size, 0 if part else value)
        if part:
            image.paste(value, (0, 0, size[0] // 4, size[1]))
        image.save(path, formats[path.suffix.lower()])
        return path

    return write


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        pixels = np.random.default_rng(ord(name)).integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{name}.png")
    return tmp_path
