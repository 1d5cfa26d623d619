"""Labelled files of several pictures give the numbers of the same pictures as files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.detector import Detector
from anomalyclip.evaluation import EvaluationSettings, evaluate
from anomalyclip.evaluation.gallery import draw, pick

EXACT = EvaluationSettings(exact_pixels=True, resamples=0)


@pytest.fixture
def apart(tree, tmp_path: Path) -> Path:
    return tree(tmp_path / "apart", {"bottle": (3, 3)})


def stacked(apart: Path, folder: Path, masks: int) -> Dataset:
    """The anomalous images of `apart` as pages of one file, with so many pages of masks; the normal ones likewise."""
    folder.mkdir()
    read = {
        kind: [np.asarray(Image.open(path)) for path in sorted((apart / "bottle").glob(pattern))]
        for kind, pattern in {"good": "test/good/*", "bad": "test/scratch/*", "mask": "ground_truth/scratch/*"}.items()
    }
    tifffile.imwrite(folder / "good.tif", np.stack(read["good"]), photometric="rgb")
    tifffile.imwrite(folder / "bad.tif", np.stack(read["bad"]), photometric="rgb")
    tifffile.imwrite(folder / "mask.tif", np.stack(read["mask"][:masks]), photometric="minisblack")
    items = (
        Item(folder / "good.tif", None, 0, "bottle", "good", has_mask=True),
        Item(folder / "bad.tif", folder / "mask.tif", 1, "bottle", "scratch", has_mask=True),
    )
    return Dataset("tiny", folder, "test", items)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_numbers_are_those_of_single_files(
    apart: Path, tmp_path: Path, model: Detector, dataset_of: Callable[[Path], Dataset]
) -> None:
    expected = evaluate(model, dataset_of(apart), settings=EXACT).classes[0]
    data = stacked(apart, tmp_path / "one", masks=3)
    result = evaluate(model, data, settings=EXACT)
    found = result.classes[0]
    assert found.values == expected.values
    assert [row.image for row in found.rows][-2:] == ["bad.tif#frame=1", "bad.tif#frame=2"]
    assert sorted(row.score or 0 for row in found.rows) == sorted(row.score or 0 for row in expected.rows)
    row = next(iter(pick(result).values()))[0]
    assert draw(model, data, result, row) is not None
    assert evaluate(model, data, settings=EXACT, frames=1).classes[0].counts.images == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_masks_of_another_number_are_refused(apart: Path, tmp_path: Path, model: Detector) -> None:
    rows = evaluate(model, stacked(apart, tmp_path / "one", masks=2), settings=EXACT).classes[0].rows
    assert all("mask.tif holds 2 pictures, its image 3" in str(row.problem) for row in rows if row.label)
    assert all(row.score is not None for row in rows)
