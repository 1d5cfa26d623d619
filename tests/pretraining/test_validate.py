"""Measuring a model: against scikit-learn on the same pixels, and what intervals must hold."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.pretraining.validate import Labelled, measure

SIZE = 16


class Brightness:
    """A judge with an opinion: bright is odd."""

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("L").resize((SIZE, SIZE)), dtype=np.float32) / 255

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pixels.mean(axis=(1, 2)), pixels


def samples(count: int = 24, masks: bool = True) -> list[Labelled]:
    rng = np.random.default_rng(3)
    made = []
    for index in range(count):
        label = index % 2
        grey = rng.integers(0, 200, (SIZE, SIZE))
        mask = np.zeros((SIZE, SIZE), dtype=bool)
        if label:
            mask[4:9, 5:12] = True
            grey[mask] += 40
        image = Image.fromarray(grey.astype(np.uint8))
        made.append(Labelled(image, label, mask if masks else None))
    return made


def test_values_are_those_of_scikit_learn() -> None:
    judge, data = Brightness(), samples()
    found = measure(judge, data, batch_size=5)
    scores, maps = judge.predict(np.stack([judge.preprocess(sample.image) for sample in data]))
    assert found["images"] == 24
    assert found["image_auroc"] == pytest.approx(roc_auc_score([s.label for s in data], scores), abs=1e-6)
    truth = np.stack([preprocess_mask(sample.mask, SIZE) > 0.5 for sample in data])
    assert found["pixel_auroc"] == pytest.approx(roc_auc_score(truth.ravel(), maps.ravel()), abs=2e-4)
    for kind in ("image", "pixel"):
        low, high = found[f"{kind}_interval"]
        assert low <= found[f"{kind}_auroc"] <= high
        assert 0 < high - low < 0.6


def test_values_crowded_at_zero_keep_their_order() -> None:
    class Sure(Brightness):
        def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return pixels.mean(axis=(1, 2)), np.float32(1e-5) * pixels

    found, plain = measure(Sure(), samples()), measure(Brightness(), samples())
    assert found["pixel_auroc"] == pytest.approx(plain["pixel_auroc"], abs=2e-3)


def test_more_images_narrow_the_interval() -> None:
    few, many = measure(Brightness(), samples(8)), measure(Brightness(), samples(200))
    width = [row["pixel_interval"][1] - row["pixel_interval"][0] for row in (few, many)]
    assert width[1] < width[0] / 2


def test_what_is_undefined_is_none() -> None:
    only_anomalous = [sample for sample in samples() if sample.label]
    found = measure(Brightness(), only_anomalous)
    assert found["image_auroc"] is None
    assert found["image_interval"] is None
    assert found["pixel_auroc"] is not None
    assert measure(Brightness(), samples(masks=False))["pixel_auroc"] is None
