"""`evaluate --mutual`: each class is a batch of its own, scored as `detect_batch` scores it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.data import open_dataset
from anomalyclip.evaluation import EvaluationSettings, evaluate
from anomalyclip.evaluation.by_batch import ByBatch
from anomalyclip.geometry import Areas, Geometry


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for kind, count in (("good", 5), ("scratch", 2)):
        (tmp_path / kind).mkdir()
        for number in range(count):
            pixels = np.clip(120 + 12 * rng.normal(size=(64, 64, 1)) + np.zeros(3), 0, 255)
            if kind == "scratch":
                pixels[28:32, 5 : 50 + number] = 250
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / kind / f"{number}.png")
    return tmp_path


def test_a_class_is_scored_as_its_batch(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    model, dataset = anomalyclip.load("pocket"), open_dataset(labelled, missing_masks="image-only")
    seen = tmp_path_factory.mktemp("seen")
    models = ByBatch(model, dataset, seen, (Geometry(), Areas()), partners=48, budget=2**28)
    result = evaluate(models, dataset, settings=EvaluationSettings(resamples=0))
    paths = [item.image for item in dataset.items]
    expected = [one.score for one in model.detect_batch(paths)]
    rows = {row.image: row.score for each in result.classes for row in each.rows}
    found = [rows[path.relative_to(dataset.root).as_posix()] for path in paths]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert result.model["method"].endswith("+mutual")


def test_the_command_says_that_it_judged_batches(labelled: Path, tmp_path: Path) -> None:
    from anomalyclip.cli import main

    out = tmp_path / "out"
    options = ["--mutual", "--missing-masks", "image-only", "--no-plots", "--resamples", "0", "-q", "-o", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(labelled), *options])
    assert not ended.value.code
    told = json.loads((out / "metrics.json").read_text())
    assert told["model"]["method"].endswith("+mutual")
    assert told["model"]["partners"] == 48
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(labelled), "--mutual", "--cache"])
    assert ended.value.code == 2
