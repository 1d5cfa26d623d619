"""One way of reading for a run: what it records brings it back, and names what was made of a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.errors import ImageReadError
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
