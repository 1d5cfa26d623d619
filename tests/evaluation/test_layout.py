"""Tiles and regions in an evaluation: what each image alone gives, measured inside its region and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from anomalyclip.cli import main
from anomalyclip.data.dataset import Dataset
from anomalyclip.detecting import survey
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError
from anomalyclip.evaluation import CacheSettings, EvaluationSettings, evaluate
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.metrics import PixelMetrics

NATIVE = EvaluationSettings(resolution="native", resamples=0, exact_pixels=True)
TILES = Geometry(tile=40, overlap=0.5)
ROI = (8, 0, 40, 48)


@pytest.fixture
def data(tree: Callable[..., Path], dataset_of: Callable[[Path], Dataset], tmp_path: Path) -> Dataset:
    return dataset_of(tree(tmp_path / "data", {"bolt": (2, 3)}))


def test_scores_and_pixels_are_those_inside_the_region(model: Detector, data: Dataset) -> None:
    areas = Areas.open(ROI)
    result = evaluate(model, data, settings=NATIVE, geometry=TILES, areas=areas)
    x, y, width, height = ROI
    inside, truths, alone = [], [], PixelMetrics(mode="exact")
    for row, item in zip(result.rows, data.items, strict=True):
        image = Image.open(item.image).convert("RGB")
        area, _ = areas.of(image.size)
        found = survey(model, image, TILES, area=area)
        assert row.score == pytest.approx(found.score, abs=1e-6)
        mask = np.zeros(image.size[::-1], bool) if item.mask is None else np.array(Image.open(item.mask)) > 0
        cut = (slice(y, y + height), slice(x, x + width))
        inside.append(found.anomaly_map[cut].ravel())
        truths.append(mask[cut].ravel())
        alone.update(found.anomaly_map[cut], mask[cut])  # a box is a picture of its own
    values = result.classes[0].values
    assert values["pixel_auroc"] == pytest.approx(roc_auc_score(np.concatenate(truths), np.concatenate(inside)))
    assert values["aupro"] == pytest.approx(alone.compute()["aupro"])
    assert (result.settings["tile"], result.settings["roi"]) == (40, list(ROI))


def test_a_plain_layout_changes_and_records_nothing(model: Detector, data: Dataset) -> None:
    plain = evaluate(model, data, settings=NATIVE)
    same = evaluate(model, data, settings=NATIVE, geometry=Geometry(), areas=Areas())
    assert same.to_dict() == plain.to_dict()


def test_features_of_tiles_are_not_kept(model: Detector, data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave --cache out with tiles"):
        evaluate(model, data, settings=NATIVE, geometry=TILES, cache=CacheSettings(tmp_path))


def test_the_command(small_files: dict[str, Path], data: Dataset, tmp_path: Path) -> None:
    mask = np.zeros((48, 60), np.uint8)
    mask[:, 8:48] = 255
    Image.fromarray(mask).save(tmp_path / "roi.png")
    with pytest.raises(SystemExit) as ended:
        main([
            "evaluate", str(data.root), "--model", str(small_files["clip"]), "--prompts", str(small_files["prompts"]),
            "--image-size", "70", "--device", "cpu", "--offline", "--resamples", "0", "-q", "--tile", "40",
            "--roi", str(tmp_path / "roi.png"), "--resolution", "native", "--output", str(tmp_path / "out"),
        ])  # fmt: skip
    assert ended.value.code in (0, None)
    told = json.loads((tmp_path / "out/metrics.json").read_text())
    assert told["settings"]["tile"] == 40
    assert told["settings"]["roi"].startswith("sha256:")
    assert (tmp_path / "out/plots/maps.png").is_file()
