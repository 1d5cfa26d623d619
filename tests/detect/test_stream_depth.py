"""Counts of a camera that state no depth: told in the row, and shown as the caller says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from anomalyclip.detect.inputs import iter_inputs
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.io import notes_of
from anomalyclip.io.reading import Reading


def test_a_run_reads_all_pictures_by_the_scale_it_was_given(tmp_path: Path) -> None:
    for name, top in (("a", 1000), ("b", 1040), ("c", 4095)):
        Image.fromarray(np.full((4, 5), top, np.uint16)).save(tmp_path / f"{name}.png")
    items = list(iter_inputs([str(tmp_path)]))
    given = [np.asarray(file_reader(Reading(full_scale=4095))(item)).max() for item in items]
    assert given == [62, 65, 255]
    plain = [file_reader()(item) for item in items]
    assert [np.asarray(image).max() for image in plain] == [4, 4, 16]  # of 65535, all alike
    assert all("--full-scale 4095" in notes_of(image)[0] for image in plain)
