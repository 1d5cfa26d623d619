"""Drift against scikit-learn and NumPy, on detectors whose errors are known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from anomalyclip.bench.drift import BASE, measure_drift
from anomalyclip.bench.labelled import Labelled, LabelledSet, rendered_set, sets_on_disk
from anomalyclip.io import write_image

SIDE = 8


class Fixed:
    """Gives the scores and maps it is told, one image after another."""

    def __init__(self, scores: np.ndarray, maps: np.ndarray) -> None:
        self.rest = iter(zip(scores, maps, strict=True))

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.zeros((3, SIDE, SIDE), np.float32)

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        score, values = next(self.rest)
        return np.array([score]), values[None]


def labelled(masks: np.ndarray) -> LabelledSet:
    def read(side: int) -> Iterator[Labelled]:
        assert side == SIDE
        for mask in masks:
            yield Labelled(Image.new("RGB", (SIDE, SIDE)), int(mask.any()), mask.astype(np.float32))

    return LabelledSet("made", len(masks), read)


def test_equal_to_scikit_learn_and_numpy() -> None:
    random = np.random.default_rng(0)
    masks = random.random((6, SIDE, SIDE)) < 0.2
    masks[::2] = False
    scores, maps = random.random(6).astype(np.float32), random.random((6, SIDE, SIDE)).astype(np.float32)
    other_scores = scores + random.normal(0, 0.2, 6).astype(np.float32)
    other_maps = np.clip(maps + random.normal(0, 0.1, maps.shape), 0, 1).astype(np.float32)
    detectors = {BASE: Fixed(scores, maps), "other": Fixed(other_scores, other_maps)}
    base, other = measure_drift(detectors, labelled(masks), SIDE)
    assert (base.variant, base.score_change, base.map_change, base.image_auroc_change) == (BASE, 0, 0, 0)
    assert base.map_correlation == pytest.approx(1)
    labels = masks.any(axis=(1, 2))
    assert other.image_auroc == pytest.approx(roc_auc_score(labels, other_scores))
    assert other.image_auroc_change == pytest.approx(other.image_auroc - roc_auc_score(labels, scores))
    assert other.pixel_auroc == pytest.approx(roc_auc_score(masks.ravel(), other_maps.ravel()), abs=1e-4)
    assert other.score_change == pytest.approx(np.abs(other_scores - scores).max())
    assert other.map_change == pytest.approx(np.abs(other_maps - maps).max())
    least = min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, other_maps, strict=True))
    assert other.map_correlation == pytest.approx(least, abs=1e-6)


def test_what_is_undefined_is_nan() -> None:
    maps = np.zeros((2, SIDE, SIDE), np.float32)
    (only,) = measure_drift({BASE: Fixed(np.zeros(2, np.float32), maps)}, labelled(maps > 0), SIDE)
    assert math.isnan(only.image_auroc)
    assert math.isnan(only.pixel_auroc)
    assert math.isnan(only.map_correlation)


def test_renders_alternate_and_carry_their_truth() -> None:
    found = list(rendered_set(2).read(64))
    assert [one.label for one in found] == [0, 1]
    assert [bool(one.truth.any()) for one in found] == [False, True]  # type: ignore[union-attr]
    assert found[0].truth.shape == (64, 64)  # type: ignore[union-attr]


def test_a_folder_of_data_sets_gives_each_of_them(tmp_path) -> None:
    for name in ("first", "second"):
        for kind in ("good", "broken"):
            (tmp_path / name / kind).mkdir(parents=True)
            for index in range(3):
                write_image(tmp_path / name / kind / f"{index}.png", Image.new("RGB", (9, 9), (40 * index, 0, 0)))
    (one,) = sets_on_disk(tmp_path / "first", 4)
    assert (one.name, one.count) == ("first", 4)
    assert sorted({item.label for item in one.read(9)}) == [0, 1]
    assert next(one.read(9)).truth is None
