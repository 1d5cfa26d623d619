"""Folders that hold masks, told by their pictures alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from anomalyclip.data import check_dataset, open_dataset

SIZE = (160, 120)


def photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(60, 200, (*SIZE[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def drawn(path: Path, fills: tuple[int, ...] = (255,), ground: int = 0) -> None:
    """Ellipses of these values on a ground of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", SIZE, ground)
    for at, fill in enumerate(fills):
        ImageDraw.Draw(image).ellipse((10 + 15 * at, 20, 80 + 10 * at, 90), fill)
    image.save(path)


def labels(root: Path) -> dict[str, int]:
    return {item.image.relative_to(root).as_posix(): item.label for item in open_dataset(root).items}


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg"])
@pytest.mark.parametrize("fills", [(255,), (255, 250), (1, 2, 3)])
def test_masks_under_any_name_are_no_defects(tmp_path: Path, suffix: str, fills: tuple[int, ...]) -> None:
    if suffix == ".jpg" and max(fills) < 255:
        pytest.skip("JPEG does not keep the numbers of kinds")
    for number in range(5):
        photo(tmp_path / f"good/{number}.png", number)
        photo(tmp_path / f"scratch/{number}.png", number + 9)
        drawn(tmp_path / f"wahrheit/{number}{suffix}", fills)
    assert set(labels(tmp_path)) == {f"{kind}/{number}.png" for kind in ("good", "scratch") for number in range(5)}
    (told,) = [line for line in check_dataset(open_dataset(tmp_path)).problems if "as masks have" in line]
    assert "wahrheit" in told
    assert "ground_truth/KIND/" in told


def test_things_that_are_black_and_white_are_pictures(tmp_path: Path) -> None:
    for kind in ("good", "torn"):
        for number in range(3):
            drawn(tmp_path / f"{kind}/{number}.png", (255,) * (1 + (kind == "torn")))
    assert sorted(labels(tmp_path).values()) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("odd", ["grey ground", "a photograph among them", "all black", "a grey scale"])
def test_what_is_no_mask_stays_a_defect(tmp_path: Path, odd: str) -> None:
    for number in range(3):
        photo(tmp_path / f"good/{number}.png", number)
        drawn(tmp_path / f"dark/{number}.png", ground=40 if odd == "grey ground" else 0)
        if odd == "all black":
            drawn(tmp_path / f"dark/{number}.png", ())
        if odd == "a grey scale":
            drawn(tmp_path / f"dark/{number}.png", tuple(range(20, 250, 20)))
    if odd == "a photograph among them":
        photo(tmp_path / "dark/1.png", 5)
    assert sorted(labels(tmp_path).values()) == [0, 0, 0, 1, 1, 1]
    assert not [line for line in check_dataset(open_dataset(tmp_path)).problems if "as masks have" in line]
