"""The command on large and odd images: rows, maps and reports that say how each image was laid out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.io import read_map

Rows = Callable[[Path], list[dict[str, Any]]]


def save_mask(path: Path, size: tuple[int, int], box: tuple[int, int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, box)
    mask.save(path)
    return path


def test_tiles_scales_and_proportions_give_maps_of_the_images_size(
    detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, rows_of: Rows
) -> None:
    folder, out = photos(tmp_path / "in", 1, (230, 97)), tmp_path / "out"
    photos(tmp_path / "in" / "long", 1, (20, 400)), photos(tmp_path / "in" / "tiny", 1, (9, 1))
    layout = ["--tile", "80", "--overlap", "0.3", "--scales", "0.5,1", "--keep-aspect", "--batch-size", "3"]
    assert detect(folder, "-r", "--output", out, "--threshold", "0.3", *layout) == 0
    rows = {Path(row["path"]).parent.name: row for row in rows_of(out)}
    assert {name: row["geometry"]["views"] for name, row in rows.items()} == {"in": 10, "long": 11, "tiny": 2}
    for name, relative in {"in": "0000", "long": "long/0000", "tiny": "tiny/0000"}.items():
        values = read_map(out / "maps" / f"{relative}.tiff")
        assert values.shape == (rows[name]["height"], rows[name]["width"])
    settings = rows["in"]["settings"]
    told = {key: settings[key] for key in ("tile", "overlap", "scales", "keep_aspect")}
    assert told == {"tile": 80, "overlap": 0.3, "scales": [0.5, 1.0], "keep_aspect": True}
    assert "11 views" in (out / "report.html").read_text("utf-8")


def test_resume_wants_the_same_layout(
    detect: Callable[..., int], photos: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, out = photos(tmp_path / "in", 1), tmp_path / "out"
    assert detect(folder, "--output", out, "--tile", "40") == 0
    assert detect(folder, "--output", out, "--resume", "--tile", "48") == 2
    assert "tile 40 then, 48 now" in capfd.readouterr().err


def test_only_the_region_of_interest_counts_and_masks_are_paired_by_name(
    detect: Callable[..., int],
    photos: Callable[..., Path],
    tmp_path: Path,
    rows_of: Rows,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder, out = photos(tmp_path / "in", 2), tmp_path / "out"
    ignored = save_mask(tmp_path / "masks" / "0000_mask.png", (64, 48), (0, 0, 30, 48))
    options = ["--roi", "10,8,40,30", "--ignore-mask", ignored.parent, "--pixel-threshold", "0"]
    assert detect(folder, "--output", out, *options) == 0
    first, second = rows_of(out)
    assert first["geometry"] == {
        "views": 1,
        "box": [10, 8, 40, 30],
        "inside": round(20 * 30 / (64 * 48), 6),
        "ignore_mask": str(ignored),
    }
    assert [region["box"] for region in first["regions"]] == [[30, 8, 20, 30]]
    assert second["geometry"]["ignore_mask"] is None
    assert [region["box"] for region in second["regions"]] == [[10, 8, 40, 30]]
    values = read_map(out / "maps/0000.tiff")
    assert not values[:, :30].any()
    assert values[8:38, 30:50].all()
    assert first["settings"]["roi"] == [10, 8, 40, 30]
    assert "No mask of its name for 1 image" in capfd.readouterr().err
    assert "19.5% counted" in (out / "report.html").read_text("utf-8")


def test_a_photo_that_lies_on_its_side_is_tiled_upright(
    detect: Callable[..., int], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rng = np.random.default_rng(2)
    upright = Image.fromarray(rng.integers(0, 256, (60, 150, 3), dtype=np.uint8))
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise makes it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    options = ["--tile", "60", "--roi", "5,0,140,60", "--format", "jsonl", "--quiet"]
    assert detect(tmp_path / "upright.png", tmp_path / "turned.png", *options) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(row["width"], row["height"]) for row in rows] == [(150, 60)] * 2
    assert rows[0]["score"] == rows[1]["score"]
    assert rows[0]["geometry"] == rows[1]["geometry"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tile", "3"], "--tile 3 is out of range: expected pixels of the image from 16 to 1,000,000"),
        (["--overlap", "0.5"], "add --tile SIZE"),
        (["--tile", "64", "--overlap", "1"], "--overlap 1 is out of range: expected a share from 0 to 0.75"),
        (["--scales", "1,x"], "expected numbers separated by commas"),
        (["--scales", "1,1"], "give each scale once"),
        (["--roi", "1,2,3"], "four whole numbers x,y,width,height"),
        (["--roi", "gone.png"], "no such file"),
        (["--roi", "0,0,0,5"], "width,height from 1"),
        (["--ignore-mask", "gone.png"], "no such file"),
        (["--ignore-mask", "."], "holds no image"),
    ],
)
def test_wrong_options_are_named_before_a_model_is_loaded(
    detect: Callable[..., int],
    photos: Callable[..., Path],
    tmp_path: Path,
    options: list[str],
    said: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = photos(tmp_path / "in", 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert detect(folder, *options) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_an_image_that_does_not_fit_its_mask_fails_alone(
    detect: Callable[..., int],
    photos: Callable[..., Path],
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    mask = save_mask(tmp_path / "roi.png", (64, 48), (5, 5, 60, 40))
    folder = photos(tmp_path / "in", 1)
    photos(tmp_path / "in" / "other", 1, (50, 50))
    assert detect(folder, "-r", "--roi", mask, "--format", "jsonl") == 3
    good, bad = (json.loads(line) for line in capfdbinary.readouterr().out.splitlines())
    assert good["error"] is None
    assert bad["error"] == (
        "the region of interest has 64 x 48 pixels, the image 50 x 50: give a mask of the image's own size"
    )
