"""Curves against scikit-learn; pictures that open, whatever is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.evaluation import EvaluationSettings, ImageRow, evaluate, plots
from anomalyclip.evaluation.curves import POINTS, PixelCurve
from anomalyclip.evaluation.gallery import SIDE, draw, pick
from anomalyclip.metrics import PixelMetrics

Read = Callable[[Path], Dataset]
NO_INTERVALS = EvaluationSettings(resamples=0)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30))
def test_areas_under_the_drawn_curves_are_the_metrics(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([s for s, _ in pairs]), np.array([y for _, y in pairs])
    if labels.all() or not labels.any():
        return
    assert auc(*plots.roc_curve(scores, labels)) == pytest.approx(roc_auc_score(labels, scores))
    recall, precision = plots.pr_curve(scores, labels)
    steps = float(np.sum(np.diff(recall) * precision[1:]))
    assert steps == pytest.approx(average_precision_score(labels, scores))


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), min_size=9, max_size=900))
def test_thinned_pixel_curves_pass_through_exact_points(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 5000 for score, _ in pairs]).reshape(1, -1)
    labels = np.array([label for _, label in pairs]).reshape(1, -1)
    if labels.all() or not labels.any():
        return
    pixels = PixelMetrics(mode="exact")
    pixels.update(scores, labels)
    curve = PixelCurve.of(pixels.ranking())
    assert len(curve.fpr) == len(curve.tpr) <= POINTS
    assert len(curve.recall) == len(curve.precision) <= POINTS
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert auc(curve.fpr, curve.tpr) == pytest.approx(roc_auc_score(labels[0], scores[0]), abs=0.02)
    precision, recall, _ = precision_recall_curve(labels[0], scores[0])
    exact = np.stack([recall, precision], axis=1)
    for point in np.stack([curve.recall, curve.precision], axis=1):
        assert np.abs(exact - point).sum(axis=1).min() < 1e-9


@pytest.fixture
def data(tree: Callable[..., Path], dataset_of: Read, tmp_path: Path) -> Dataset:
    return dataset_of(tree(tmp_path / "data", {"b$x_$": (3, 4), "only bad": (0, 3)}))


def test_all_pictures_are_written_whole(model: Detector, data: Dataset, tmp_path: Path) -> None:
    result = evaluate(model, data, settings=NO_INTERVALS)
    written = plots.write_plots(tmp_path / "out/plots", result, model, data)
    assert [path.name for path in written] == ["roc.png", "pr.png", "scores.png", "maps.png"]
    assert sorted(path.name for path in (tmp_path / "out/plots").iterdir()) == sorted(path.name for path in written)
    for path in written:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert min(pixels.shape[:2]) > 200
        assert pixels.std() > 5


def test_only_what_has_something_to_show(model: Detector, data: Dataset, tmp_path: Path) -> None:
    bad = replace(data, items=tuple(item for item in data.items if item.label))
    written = plots.write_plots(tmp_path / "bad", evaluate(model, bad, settings=NO_INTERVALS), model, bad)
    assert [path.name for path in written] == ["roc.png", "pr.png", "scores.png", "maps.png"]
    for item in data.items:
        item.image.write_bytes(b"")
    assert plots.write_plots(tmp_path / "none", evaluate(model, data, settings=NO_INTERVALS), model, data) == []


def test_the_gallery_picks_best_worst_and_false_alarms(model: Detector, data: Dataset) -> None:
    result = evaluate(model, data, settings=NO_INTERVALS)
    picks = pick(result, count=2)
    assert list(picks) == ["best (pixel AP)", "worst (pixel AP)", "normal, highest score"]
    values = [row.pixel_ap for row in result.rows if row.pixel_ap is not None]
    assert [row.pixel_ap for row in picks["best (pixel AP)"]] == sorted(values, reverse=True)[:2]
    assert [row.pixel_ap for row in picks["worst (pixel AP)"]] == sorted(values)[:2]
    alarms = sorted((row for row in result.rows if row.label == 0), key=lambda row: -(row.score or 0))
    assert picks["normal, highest score"] == alarms[:2]


def test_the_gallery_shows_no_image_twice(model: Detector, data: Dataset) -> None:
    result = evaluate(model, replace(data, items=data.items[:5]), settings=NO_INTERVALS)
    shown = [row.image for rows in pick(result, count=4).values() for row in rows]
    assert len(shown) == len(set(shown)) == 5


def test_without_masks_the_gallery_goes_by_score(model: Detector, data: Dataset) -> None:
    items = tuple(replace(item, mask=None, has_mask=False) for item in data.items)
    result = evaluate(model, replace(data, items=items), settings=NO_INTERVALS)
    scores = [row.score for row in pick(result)["best (score)"]]
    assert scores == sorted((row.score for row in result.rows if row.label), reverse=True)[: len(scores)]


def test_a_picture_shows_image_with_outline_beside_its_map(model: Detector, data: Dataset) -> None:
    result = evaluate(model, data, settings=NO_INTERVALS)
    row: ImageRow = next(row for row in result.rows if row.pixel_ap is not None)
    picture = draw(model, data, result, row)
    assert picture is not None
    assert picture.size == (2 * 60 + 4, 48)
    left = np.asarray(picture)[:, :60]
    item = next(item for item in data.items if item.image.name == row.image.split("/")[-1] and item.label)
    original = np.asarray(Image.open(item.image).convert("RGB"))
    changed = np.any(left != original, axis=2)
    mask = np.asarray(Image.open(item.mask)) > 0
    assert changed.any()
    assert not (changed & mask).any()
    Image.fromarray(np.zeros((900, 300, 3), np.uint8)).save(item.image)
    large = draw(model, data, result, row)
    assert large is not None
    assert large.height == SIDE
    item.image.unlink()
    assert draw(model, data, result, row) is None


def test_failures_say_what_to_do(
    model: Detector, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = evaluate(model, data, settings=NO_INTERVALS)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        plots.write_plots(tmp_path / "file", result, model, data)
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install"):
        plots.write_plots(tmp_path / "plots", result, model, data)
