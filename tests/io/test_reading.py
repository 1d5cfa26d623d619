"""One way of reading for a run: what it records brings it back, and names what was made of a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of
from anomalyclip.io.reading import Reading


@pytest.mark.parametrize(
    "reading", [Reading(), Reading(axis="x"), Reading(full_scale=4095.0), Reading(None, "y", (-20.0, 40.0))]
)
def test_records_bring_it_back(reading: Reading) -> None:
    assert Reading.of(json.loads(json.dumps(reading.recorded()))) == reading


def test_contents_read_otherwise_have_another_name() -> None:
    names = [one.digest("ab" * 32) for one in (Reading(full_scale=1.0), Reading(full_scale=2.0), Reading(axis="x"))]
    assert Reading(max_pixels=7).digest("ab" * 32) == "ab" * 32
    assert len({*names, "ab" * 32}) == 4
    assert all(len(name) == 64 for name in names)


def test_files_and_bytes_are_read_alike_and_within_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 1024, 4095]], np.uint16)).save(file)
    reading = Reading(full_scale=4095)
    for image in (reading.image(file), reading.content(file.read_bytes(), "a")):
        assert np.asarray(image)[0, :, 0].tolist() == [0, 64, 255]
    with pytest.raises(ImageReadError, match="raise max_pixels"):
        Reading(max_pixels=2).image(file)


def test_one_run_takes_floats_to_have_one_scale(tmp_path: Path) -> None:
    """0 to 1 beside 0 to 255 in one folder: whichever is read first decides, and the other says so."""
    unit, counts = np.array([[0.1, 0.9]], np.float32), np.array([[20.0, 230.0]], np.float32)
    for name, values in (("unit", unit), ("half", unit / 2), ("counts", counts), ("bright", counts * 1.1)):
        tifffile.imwrite(tmp_path / f"{name}.tif", values)
    for first, alike, other, white in (("unit", "half", "counts", 255), ("counts", "bright", "unit", 255)):
        reading = Reading()
        reading.image(tmp_path / f"{first}.tif")
        reading.image(tmp_path / f"{alike}.tif")
        with pytest.raises(ImageReadError, match=rf"{other}\.tif: its floats state no scale.*--full-scale {white}\b"):
            replace(reading, axis="x").image(tmp_path / f"{other}.tif")
        with pytest.raises(ImageReadError, match="those read before it ended at"):
            reading.content((tmp_path / f"{other}.tif").read_bytes(), "sent")
        assert Reading().image(tmp_path / f"{other}.tif").size == (2, 1), "another run"
    said = Reading(full_scale=255.0)
    assert [said.image(tmp_path / f"{name}.tif").getpixel((1, 0))[0] for name in ("unit", "counts")] == [1, 230]


def test_every_door_holds_a_run_to_one_scale(tmp_path: Path) -> None:
    from anomalyclip.detect.inputs import iter_inputs
    from anomalyclip.detect.pipeline import file_reader
    from anomalyclip.detecting import Picture

    for name, top in (("a", 1.0), ("b", 200.0)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.array([[0, top]], np.float32))
    read = file_reader()
    first, second = iter_inputs([str(tmp_path)])
    assert read(first).size == (2, 1)
    with pytest.raises(ImageReadError, match="state no scale"):
        read(second)
    reading = Reading()
    Picture(np.array([[0, 1.0]])).read(reading)
    with pytest.raises(ImageReadError, match="image: its floats state no scale"):
        Picture(np.array([[0, 200.0]])).read(reading)


def test_a_profile_and_the_rows_of_a_run_keep_the_scale_of_floats(tmp_path: Path) -> None:
    unit, counts = np.array([[0.1, 0.9]], np.float32), np.array([[20.0, 230.0]], np.float32)
    for name, values in (("unit", unit), ("counts", counts)):
        tifffile.imwrite(tmp_path / f"{name}.tif", values)
    first = Reading()
    assert first.found() == {}
    image = first.image(tmp_path / "unit.tif")
    assert first.found() == {"float_white": 1.0}
    resumed = Reading()
    resumed.learn(notes_of(image))
    for later in (Reading.of(json.loads(json.dumps(first.recorded() | first.found()))), resumed):
        with pytest.raises(ImageReadError, match="would end at 255, those read before it ended at 1"):
            later.image(tmp_path / "counts.tif")
        assert later.image(tmp_path / "unit.tif").tobytes() == image.tobytes()
    assert first.anew().image(tmp_path / "counts.tif")
