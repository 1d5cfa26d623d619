"""Pyramids whose levels carry no mark: ImageMagick's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from anomalyclip.io import read_image
from anomalyclip.io.frames import count_frames


def halved(path: Path, sides: list[tuple[int, int]]) -> None:
    """As ImageMagick's `ptif:` has it: strips, every page called one of several (NewSubfileType 2)."""
    with tifffile.TiffWriter(path) as file:
        for number, (height, width) in enumerate(sides):
            page = np.full((height, width), 200 - number, np.uint8)
            file.write(page, photometric="minisblack", subfiletype=2, rowsperstrip=16)


@pytest.mark.parametrize(
    ("sides", "count"),
    [
        ([(203, 131), (101, 65), (50, 32)], 1),
        ([(130, 200), (65, 100), (32, 50), (16, 25)], 4),  # it would have ended at 32
        ([(203, 131), (101, 65)], 2),  # it would have gone on
        ([(203, 131), (102, 66), (51, 33)], 3),
        ([(50, 32), (203, 131)], 2),
        ([(130, 200), (65, 100), (65, 100)], 3),
    ],
)
def test_halved_pages_down_to_64_pixels_are_one_picture(tmp_path, sides, count):
    halved(tmp_path / "a.tif", sides)
    assert count_frames(tmp_path / "a.tif") == count
    assert read_image(tmp_path / "a.tif", frame=0 if count > 1 else None).size == sides[0][::-1]


@pytest.mark.skipif(shutil.which("convert") is None, reason="needs ImageMagick")
@pytest.mark.parametrize("size", ["640x480", "131x203", "65x65"])
def test_pyramids_of_imagemagick_are_one_picture(tmp_path, size):
    subprocess.run(["convert", "-size", size, "gradient:", f"ptif:{tmp_path / 'a.tif'}"], check=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) > 1
    assert count_frames(tmp_path / "a.tif") == 1
    assert read_image(tmp_path / "a.tif").size == tuple(map(int, size.split("x")))
