"""Files of several pictures train as their pictures do as files of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.data.check import check_dataset
from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.io.reading import Reading
from anomalyclip.training.encoding import load_pixels
from anomalyclip.training.prepare import MaskStore, Preparation, identify
from anomalyclip.training.reporter import Reporter


def stacked(dataset: Dataset, folder: Path, masks: int) -> Dataset:
    """The pictures of one class as pages of a normal and an anomalous file, with so many pages of masks."""
    items = [item for item in dataset.items if item.class_name == "alpha"]
    pages = {
        name: np.stack([np.asarray(Image.open(path)) for path in paths])
        for name, paths in {
            "good": [item.image for item in items if not item.label],
            "bad": [item.image for item in items if item.label],
            "mask": [item.mask for item in items if item.label][:masks],
        }.items()
    }
    for name, values in pages.items():
        photometric = "minisblack" if name == "mask" else "rgb"
        tifffile.imwrite(folder / f"{name}.tif", values, photometric=photometric)
    good = Item(folder / "good.tif", None, 0, "alpha", "good", True)
    bad = Item(folder / "bad.tif", folder / "mask.tif", 1, "alpha", "damage", True)
    return replace(dataset, items=(good, bad), root=folder)


def samples_of(dataset: Dataset) -> Preparation:
    preparation = Preparation(Reporter())
    identify([dataset], "both", MaskStore(None, 32), preparation, Reading())
    return preparation


def test_pages_are_the_pictures(dataset: Dataset, tmp_path: Path) -> None:
    single = samples_of(replace(dataset, items=tuple(i for i in dataset.items if i.class_name == "alpha")))
    paged = samples_of(stacked(dataset, tmp_path, masks=3))
    assert not paged.problems
    assert len({sample.image_sha256 for sample in paged.samples}) == 6
    masks = MaskStore(None, 32)
    by_pixels = {load_pixels(one, 32).tobytes(): masks.get(one).numpy().tobytes() for one in single.samples}
    assert {load_pixels(one, 32).tobytes(): masks.get(one).numpy().tobytes() for one in paged.samples} == by_pixels
    report = check_dataset(stacked(dataset, tmp_path, masks=3)).total
    assert (report.normal, report.anomalous, report.masks, report.unreadable) == (3, 3, 3, 0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_masks_of_another_number_leave_the_labels(dataset: Dataset, tmp_path: Path) -> None:
    other = stacked(dataset, tmp_path, masks=2)
    paged = samples_of(other)
    assert [(sample.label, sample.known) for sample in paged.samples] == [(0, True)] * 3 + [(1, False)] * 3
    assert all("2 pictures, its image 3: only its image label is used" in line for line in paged.problems)
    assert len(check_dataset(other).problems) == 3
