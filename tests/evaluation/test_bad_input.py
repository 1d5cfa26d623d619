"""What cannot be measured is null with a reason, what cannot be used is reported; the rest keeps its right metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.evaluation import Evaluation, EvaluationSettings, evaluate
from anomalyclip.evaluation.result import IMAGE_METRICS, PIXEL_METRICS

Tree = Callable[..., Path]
Read = Callable[[Path], Dataset]
FAST = EvaluationSettings(resamples=20, exact_pixels=True)


@pytest.fixture
def data(tree: Tree, dataset_of: Read, tmp_path: Path) -> Dataset:
    return dataset_of(tree(tmp_path / "data", {"bottle": (3, 4), "cable": (2, 2)}))


def _without(data: Dataset, *numbers: int, pixels_only: bool = False) -> Dataset:
    """The data set less some items (or only their masks): what the metrics must then be those of."""
    if pixels_only:
        items = [replace(one, mask=None, has_mask=False) if n in numbers else one for n, one in enumerate(data.items)]
    else:
        items = [one for n, one in enumerate(data.items) if n not in numbers]
    return replace(data, items=tuple(items))


def _metrics(result: Evaluation) -> list[dict[str, float | None]]:
    return [pytest.approx(dict(one.values), abs=1e-6, nan_ok=False) for one in result.classes]


def _anomalous(data: Dataset) -> int:
    return next(n for n, item in enumerate(data.items) if item.label)


def test_a_class_of_one_label_has_no_image_metrics_and_the_mean_skips_it(
    model: Detector, tree: Tree, dataset_of: Read, tmp_path: Path
) -> None:
    data = dataset_of(tree(tmp_path, {"a_both": (2, 2), "b_bad": (0, 3), "c_good": (3, 0)}))
    result = evaluate(model, data, settings=FAST)
    both, bad, good = result.classes
    assert all(bad.values[name] is None for name in IMAGE_METRICS)
    assert all(bad.values[name] is not None for name in PIXEL_METRICS)
    assert set(bad.undefined.values()) == {"there are no normal images with a score"}
    assert set(good.values.values()) == {None}
    assert good.undefined["image_ap"] == "there are no anomalous images with a score"
    assert good.undefined["aupro"] == "there are no anomalous pixels"
    assert bad.intervals == good.intervals == {}
    assert result.mean["image_auroc"] == both.values["image_auroc"]
    assert result.mean["aupro"] == pytest.approx((both.values["aupro"] + bad.values["aupro"]) / 2)
    assert result.mean_over["image_auroc"] == 1
    assert result.mean_over["aupro"] == 2
    assert not result.problems


def test_images_without_masks_give_image_metrics_only(model: Detector, data: Dataset) -> None:
    result = evaluate(model, _without(data, *range(len(data.items)), pixels_only=True), settings=FAST)
    for one in result.classes:
        assert all(one.values[name] is not None for name in IMAGE_METRICS)
        assert {one.undefined[name] for name in PIXEL_METRICS} == {"no image has a mask that can be used"}
    assert result.to_dict()["mean"]["undefined"]["aupro"] == "undefined for every class"
    assert not result.problems


def test_corrupt_and_missing_images_are_left_out(model: Detector, data: Dataset) -> None:
    data.items[0].image.write_bytes(b"\x89PNG\r\n\x1a\n cut")
    data.items[4].image.unlink()
    result = evaluate(model, data, settings=FAST, batch_size=3)
    assert [row.image for row in result.problems] == ["bottle/test/good/000.png", "bottle/test/scratch/001.png"]
    assert all(row.score is None for row in result.problems)
    assert _metrics(evaluate(model, _without(data, 0, 4), settings=FAST)) == [
        dict(one.values) for one in result.classes
    ]
    assert result.classes[0].counts.scored == result.classes[0].counts.with_pixels == 5
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["problems"][1]["image"].endswith("001.png")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda mask: Image.new("L", (60, 48), 0).save(mask), "the mask of an anomalous image is all black"),
        (lambda mask: Image.new("L", (48, 60), 255).save(mask), "48 x 60 pixels, its image 60 x 48"),
        (lambda mask: mask.write_bytes(b"nothing"), "_mask.png"),
        (lambda mask: mask.unlink(), "_mask.png"),
    ],
)
def test_a_doubtful_mask_leaves_the_image_out_of_the_pixel_metrics_only(
    spoil: Callable[[Path], None], said: str, model: Detector, data: Dataset
) -> None:
    number = _anomalous(data)
    mask = data.items[number].mask
    assert mask is not None
    spoil(mask)
    result = evaluate(model, data, settings=FAST)
    (row,) = result.problems
    assert said in (row.problem or "")
    assert row.score is not None
    assert row.pixel_ap is None
    rest = evaluate(model, _without(data, number, pixels_only=True), settings=FAST)
    assert _metrics(rest) == [dict(one.values) for one in result.classes]


def test_marked_pixels_in_a_normal_image_are_refused(model: Detector, data: Dataset) -> None:
    mask = data.items[_anomalous(data)].mask
    items = (replace(data.items[0], mask=mask), *data.items[1:])
    (row,) = evaluate(model, replace(data, items=items), settings=FAST).problems
    assert "it marks pixels of an image that is labelled normal" in (row.problem or "")


@pytest.mark.parametrize("resolution", ["model", "native"])
def test_a_mask_of_the_same_proportions_is_scaled(resolution: str, model: Detector, data: Dataset) -> None:
    settings = replace(FAST, resolution=resolution)
    before = evaluate(model, data, settings=settings)
    for item in data.items:
        if item.mask is not None:
            Image.open(item.mask).resize((120, 96), Image.Resampling.NEAREST).save(item.mask)
    after = evaluate(model, data, settings=settings)
    assert not after.problems
    assert after.mean["pixel_auroc"] == pytest.approx(before.mean["pixel_auroc"], abs=0.02)


class Spoilt:
    """A model that returns given scores or maps for images brighter than a limit."""

    def __init__(self, model: Detector, score: float | None = None, value: float | None = None, fails: bool = False):
        self.model, self.score, self.value, self.fails = model, score, value, fails
        self.settings, self.device, self.provenance = model.settings, model.device, model.provenance
        self.preprocess = model.preprocess

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, maps = (values.copy() for values in self.model.predict(pixels))
        for number, values in enumerate(pixels):
            if values.std() < 1e-6:  # a picture of one colour
                if self.fails:
                    raise RuntimeError("boom\nat depth")
                scores[number] = self.score if self.score is not None else scores[number]
                maps[number, 0, 0] = self.value if self.value is not None else maps[number, 0, 0]
        return scores, maps


@pytest.mark.parametrize(
    ("spoilt", "pixels_only", "said"),
    [
        ({"score": math.nan}, False, "score nan"),
        ({"score": math.inf}, False, "score inf"),
        ({"value": math.nan}, True, "finite"),
        ({"value": 7.0}, True, "range"),
        ({"fails": True}, None, "the model failed on this image: RuntimeError: boom at depth"),
    ],
)
def test_numbers_that_are_none_leave_the_rest_right(
    spoilt: dict[str, float], pixels_only: bool | None, said: str, model: Detector, data: Dataset
) -> None:
    settings = replace(FAST, exact_pixels=False)
    number = _anomalous(data)
    Image.fromarray(np.full((48, 60, 3), 120, np.uint8)).save(data.items[number].image)
    flat = model.preprocess(Image.open(data.items[number].image))
    assert float(np.ptp(flat, axis=(1, 2)).max()) < 1e-6
    model_with_a_flaw = Spoilt(model, **spoilt)
    model_with_a_flaw.preprocess = lambda image: _grey_to_zero(model.preprocess(image))
    result = evaluate(model_with_a_flaw, data, settings=settings, batch_size=4)
    (row,) = result.problems
    assert said in (row.problem or "")
    plain = Spoilt(model)
    plain.preprocess = model_with_a_flaw.preprocess
    rest = _without(data, number, pixels_only=bool(pixels_only))
    expected, got = evaluate(plain, rest, settings=settings), result
    for one, other in zip(expected.classes, got.classes, strict=True):
        names = IMAGE_METRICS if pixels_only is False else [*IMAGE_METRICS, *PIXEL_METRICS]
        assert {n: one.values[n] for n in names} == pytest.approx({n: other.values[n] for n in names}, abs=1e-5)


def _grey_to_zero(values: np.ndarray) -> np.ndarray:
    """A picture of one colour becomes exactly zero, so that `Spoilt` knows it."""
    return np.zeros_like(values) if float(np.ptp(values, axis=(1, 2)).max()) < 1e-5 else values


def test_nothing_readable_at_all_is_told_and_not_a_crash(model: Detector, data: Dataset) -> None:
    for item in data.items:
        item.image.write_bytes(b"")
    result = evaluate(model, data, settings=FAST)
    assert len(result.problems) == len(data.items)
    assert set(result.mean.values()) == {None}
    assert result.classes[0].undefined["image_ap"] == "no image could be scored"
