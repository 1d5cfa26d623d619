"""The whole evaluation against scikit-learn and a brute-force AUPRO on maps dumped here, from the same model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import integrate, ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation import METRICS, Evaluation, EvaluationSettings, evaluate

Tree = Callable[..., Path]
EXACT = EvaluationSettings(exact_pixels=True, resamples=50)


@pytest.fixture(scope="module")
def data(tree: Tree, dataset_of: Callable[[Path], Dataset], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset_of(tree(tmp_path_factory.mktemp("data"), {"bottle": (4, 5), "wood_#2": (3, 3)}))


@pytest.fixture(scope="module")
def result(model: Detector, data: Dataset) -> Evaluation:
    return evaluate(model, data, settings=EXACT, batch_size=2)


def _f1_max(labels: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


def _aupro(maps: list[np.ndarray], masks: list[np.ndarray], limit: float) -> float:
    """At every threshold, region by region; the curve cut at the limit and integrated by trapezoids."""
    regions = []
    for number, mask in enumerate(masks):
        found, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [np.sort(maps[number][found == k]) for k in range(1, count + 1)]
    normal = np.sort(np.concatenate([values[~mask] for values, mask in zip(maps, masks, strict=True)]))
    thresholds = np.unique(np.concatenate([values.ravel() for values in maps]))[::-1]
    fpr = 1 - np.searchsorted(normal, thresholds) / normal.size
    pro = np.mean([1 - np.searchsorted(region, thresholds) / region.size for region in regions], axis=0)
    fpr, pro = np.append(0.0, fpr), np.append(0.0, pro)
    end = np.interp(limit, fpr, pro)
    inside = fpr < limit
    return float(integrate.trapezoid(np.append(pro[inside], end), np.append(fpr[inside], limit)) / limit)


def _expected(model: Detector, data: Dataset, name: str, native: bool, limit: float = 0.3) -> dict[str, float]:
    scores, labels, maps, masks = [], [], [], []
    for item in data.of_class(name):
        image = Image.open(item.image).convert("RGB")
        score, values = model.predict(model.preprocess(image)[None])
        mask = np.array(Image.open(item.mask)) > 0 if item.mask else np.zeros(image.size[::-1], bool)
        if native:
            resized = torch.nn.functional.interpolate(torch.from_numpy(values)[None], image.size[::-1], mode="bilinear")
            maps.append(resized[0, 0].numpy())
            masks.append(mask)
        else:
            small = Image.fromarray(mask.astype(np.uint8) * 255).resize((70, 70), Image.Resampling.BILINEAR)
            maps.append(values[0])
            masks.append(np.array(small) > 127.5)
        scores.append(float(score[0]))
        labels.append(item.label)
    pixels, truth = (np.concatenate([each.ravel() for each in many]) for many in (maps, masks))
    found = {}
    for level, s, y in (("image", np.array(scores), np.array(labels)), ("pixel", pixels, truth)):
        found[f"{level}_auroc"] = roc_auc_score(y, s)
        found[f"{level}_ap"] = average_precision_score(y, s)
        found[f"{level}_f1_max"] = _f1_max(y, s)
    return found | {"aupro": _aupro(maps, masks, limit)}


@pytest.mark.parametrize("name", ["bottle", "wood_#2"])
def test_exact_metrics_equal_scikit_learn_on_dumped_maps(
    name: str, model: Detector, data: Dataset, result: Evaluation
) -> None:
    values = {one.name: one.values for one in result.classes}[name]
    assert dict(values) == pytest.approx(_expected(model, data, name, native=False), abs=2e-5)
    assert list(values) == list(METRICS)


def test_native_resolution_compares_at_the_images_own_size(model: Detector, data: Dataset) -> None:
    settings = replace(EXACT, resolution="native", fpr_limit=0.5)
    native = evaluate(model, data, settings=settings).classes[0]
    assert dict(native.values) == pytest.approx(_expected(model, data, "bottle", native=True, limit=0.5), abs=1e-3)


def test_streaming_agrees_with_exact_within_the_histogram(model: Detector, data: Dataset, result: Evaluation) -> None:
    streamed = evaluate(model, data, settings=EvaluationSettings(resamples=0))
    for one, other in zip(streamed.classes, result.classes, strict=True):
        assert dict(one.values) == pytest.approx(dict(other.values), abs=1e-4)
        assert one.intervals == {}


def test_mean_is_the_plain_mean_over_classes(result: Evaluation) -> None:
    first, second = (one.values for one in result.classes)
    for name in METRICS:
        assert result.mean[name] == pytest.approx(((first[name] or 0) + (second[name] or 0)) / 2)
    assert set(result.mean_over.values()) == {2}


def test_rows_hold_scores_and_maps_metrics_of_each_image(model: Detector, data: Dataset, result: Evaluation) -> None:
    assert [row.image for row in result.rows] == [item.image.relative_to(data.root).as_posix() for item in data.items]
    for row, item in zip(result.rows, data.items, strict=True):
        score, maps = model.predict(model.preprocess(Image.open(item.image).convert("RGB"))[None])
        assert row.score == pytest.approx(float(score[0]), abs=1e-5)
        assert (row.class_name, row.kind, row.label) == (item.class_name, item.kind, item.label)
        assert row.problem is None
        if item.mask is None:
            assert (row.pixel_auroc, row.pixel_ap, row.aupro) == (None, None, None)
        else:
            small = Image.open(item.mask).resize((70, 70), Image.Resampling.BILINEAR)
            truth = np.array(small).ravel() > 127.5
            assert row.pixel_auroc == pytest.approx(roc_auc_score(truth, maps.ravel()), abs=1e-4)
            assert row.pixel_ap == pytest.approx(average_precision_score(truth, maps.ravel()), abs=1e-4)


def test_intervals_hold_the_value_and_follow_the_seed(model: Detector, data: Dataset, result: Evaluation) -> None:
    for one in result.classes:
        assert set(one.intervals) == {"image_auroc", "image_ap"}
        for name, (low, high) in one.intervals.items():
            assert 0 <= low <= (one.values[name] or 0) <= high <= 1
    again = evaluate(model, data, settings=EXACT, workers=1)
    assert [one.intervals for one in again.classes] == [one.intervals for one in result.classes]


def test_batches_and_threads_change_nothing(model: Detector, data: Dataset, result: Evaluation) -> None:
    other = evaluate(model, data, settings=EXACT, batch_size=5, workers=3)
    for one, two in zip(other.rows, result.rows, strict=True):
        assert one.score == pytest.approx(two.score, abs=1e-5)
        assert (one.image, one.label, one.kind) == (two.image, two.label, two.kind)


def test_json_records_everything_that_made_the_numbers(model: Detector, data: Dataset, result: Evaluation) -> None:
    told: dict[str, Any] = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert told["model"] == json.loads(json.dumps(model.provenance()))
    assert told["dataset"] == {"name": "tiny", "root": str(data.root), "split": "test", "images": 15, "problems": []}
    assert told["settings"] == {
        "resolution": "model", "exact_pixels": True, "fpr_limit": 0.3, "resamples": 50, "seed": 0,
    }  # fmt: skip
    assert told["versions"]["torch"] == torch.__version__
    assert told["classes"]["bottle"]["counts"] == {
        "images": 9, "normal": 4, "anomalous": 5, "scored": 9, "with_pixels": 9, "problems": 0,
    }  # fmt: skip


def test_callbacks_come_in_order_and_finished_classes_are_not_repeated(model: Detector, data: Dataset) -> None:
    images, classes = [], []
    first = evaluate(model, data, on_image=images.append, on_class=classes.append)
    assert images == first.rows
    assert classes == list(first.classes)
    images.clear()
    second = evaluate(model, data, done={"bottle": first.classes[0]}, on_image=images.append)
    assert {row.class_name for row in images} == {"wood_#2"}
    assert second.to_dict() == first.to_dict()


def test_wrong_calls_are_refused(model: Detector, data: Dataset) -> None:
    with pytest.raises(InputError, match="no image"):
        evaluate(model, replace(data, items=()))
    with pytest.raises(ConfigError, match="batch_size"):
        evaluate(model, data, batch_size=0)
    with pytest.raises(ConfigError, match=r"'bottle'.*given: other"):
        evaluate({"other": model}, data)
    for wrong in ({"resolution": "half"}, {"fpr_limit": 0.0}, {"resamples": -1}, {"seed": -1}):
        with pytest.raises(ConfigError):
            EvaluationSettings(**wrong)
