"""Counts of a camera that state no depth: told in the row, and shown as the caller says."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from anomalyclip.detect.inputs import iter_inputs
from anomalyclip.detect.pipeline import detect_stream, file_reader
from anomalyclip.io import notes_of, read_image
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


def test_the_first_float_picture_in_order_decides_the_scale_whoever_is_faster(tmp_path: Path, model: Any) -> None:
    for number, top in enumerate((200.0, 1.0, 0.9, 180.0)):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.array([[0, top]], np.float32))
    reading, second = Reading(), threading.Event()

    def read(item: Any) -> Any:
        image = read_image(item.path)
        if item.path.endswith("0.tif"):
            assert second.wait(60)
            time.sleep(0.2)  # the others would be through, did they not wait
        else:
            second.set()
        return reading.agreed(image, item.path)

    results = list(detect_stream(model, iter_inputs([str(tmp_path)]), read=read, workers=3))
    assert [one.error is None for one in results] == [True, False, False, True]
    assert "those read before it ended at 255" in str(results[1].error)
