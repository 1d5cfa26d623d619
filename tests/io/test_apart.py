"""Whatever is decoded while `apart` holds goes to another process, and comes back as it would have been read here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.cli import main
from anomalyclip.errors import ImageReadError
from anomalyclip.io import image_size, read_image, read_mask
from anomalyclip.io.apart import apart
from anomalyclip.io.masks import mask_levels_of, read_mask_levels

FAULTS = Path(__file__).parent / "faults"
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks/siege"))
from seeds import FORMATS  # noqa: E402

DEADLY = (97, 89)  # pixels of a picture that ends the process that decodes it; here it does nothing


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """Only processes that are started meanwhile have them."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")])))


@pytest.fixture
def deadly(tmp_path) -> Path:
    path = tmp_path / "deadly.bmp"
    Image.new("RGB", DEADLY, (9, 9, 200)).save(path)
    return path


READERS = (read_image, read_mask, read_mask_levels, image_size)


def told(path: Path) -> list[object]:
    """What all four say of a file: arrays and other values, or the reason why not."""
    found: list[object] = []
    for read in READERS:
        try:
            value = read(path)
        except ImageReadError as error:
            found.append(str(error))
            continue
        if hasattr(value, "levels"):
            fields = {**vars(value)}
            value = fields.pop("levels")
            found.append(fields)
        found += [value] if isinstance(value, tuple) else [np.asarray(value), np.asarray(value).dtype.kind]
    return found


def test_pictures_masks_levels_and_sizes_are_what_reading_them_here_gives(tmp_path):
    paths = []
    for name in FORMATS:
        try:
            files = FORMATS[name]()
        except ImportError:
            continue
        for number, data in enumerate(files[:3]):
            paths.append(tmp_path / f"{name}{number}")
            paths[-1].write_bytes(data)
    assert len(paths) > 20
    here = [told(path) for path in paths]
    with apart("on"):
        there = [told(path) for path in paths]
    for path, one, other in zip(paths, here, there, strict=True):
        assert len(one) == len(other), path
        for mine, its in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, its, err_msg=path.name)


def test_a_decoder_that_dies_costs_the_file_whoever_reads_it(deadly):
    with apart("auto"):
        for read in (read_image, read_mask_levels):
            with pytest.raises(ImageReadError, match="SIGSEGV"):
                read(deadly)
        with pytest.raises(ImageReadError, match="SIGSEGV"):
            mask_levels_of(deadly.read_bytes(), "name")
    assert read_image(deadly).size == DEADLY


def test_jpeg_and_png_stay_here_unless_all_go(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", DEADLY).save(path)
    for isolate in ("auto", "off"):
        with apart(isolate):
            assert read_image(path).size == DEADLY
    with apart("on"), pytest.raises(ImageReadError, match="SIGSEGV"):
        read_image(path)


def test_off_is_off(deadly):
    with apart("off"):
        assert read_image(deadly).size == DEADLY


def test_a_region_of_interest_is_decoded_apart(deadly, tmp_path, capsys):
    Image.new("RGB", DEADLY).save(tmp_path / "picture.png")
    with pytest.raises(SystemExit) as end:
        main(["detect", str(tmp_path / "picture.png"), "--roi", str(deadly), "--offline", "-q"])
    assert end.value.code == 2
    assert "SIGSEGV" in capsys.readouterr().err


def test_masks_of_a_data_set_are_decoded_apart(tmp_path, capsys):
    for place in ("train/good", "test/good", "test/bad", "ground_truth/bad"):
        folder = tmp_path / "part" / place
        folder.mkdir(parents=True)
        suffix = "_mask.bmp" if place.startswith("ground") else ".png"
        Image.new("L" if suffix != ".png" else "RGB", DEADLY, 255 if suffix != ".png" else 0).save(
            folder / f"0{suffix}"
        )
    with pytest.raises(SystemExit):
        main(["data", "check", str(tmp_path)])
    said = capsys.readouterr()
    assert "SIGSEGV" in said.out + said.err
