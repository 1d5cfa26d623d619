"""A scale that the caller gives makes counts of 12 bits the pictures they are; what is kept of them knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.evaluation import CacheSettings, EvaluationSettings, evaluate
from anomalyclip.io.reading import Reading

EXACT = EvaluationSettings(exact_pixels=True, resamples=0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_counts_with_their_scale_are_the_pictures_of_eight_bits(
    tree, tmp_path: Path, model: Detector, dataset_of: Callable[[Path], Dataset]
) -> None:
    folder = tree(tmp_path / "grey", {"bottle": (2, 2)})
    files = sorted(folder.glob("bottle/test/*/*.png"))
    for file in files:
        Image.open(file).convert("L").save(file)
    expected = evaluate(model, dataset_of(folder), settings=EXACT)
    for file in files:
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) * 16).save(file)
    data, scale = dataset_of(folder), Reading(full_scale=4080.0)
    given = evaluate(model, data, settings=EXACT, reading=scale)
    assert given.classes[0].values == expected.classes[0].values
    assert given.settings["full_scale"] == 4080
    kept = CacheSettings(tmp_path / "kept", "fp32")
    plain = evaluate(model, data, settings=EXACT, cache=kept)
    again = evaluate(model, data, settings=EXACT, cache=kept, reading=scale)
    assert [row.score for row in plain.classes[0].rows] != [row.score for row in again.classes[0].rows]
    assert again.classes[0].values == expected.classes[0].values
