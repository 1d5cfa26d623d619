"""Hand-written prompts are filled with each class's name; learned ones are the same for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.by_class import PerClass
from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.evaluation import EvaluationSettings, evaluate
from anomalyclip.opening import load, open_for

SETTINGS = {"image_size": 70, "device": "cpu", "offline": True}
CLASSES = ("metal_nut", "wood")


@pytest.fixture(scope="module")
def per_class(small_files: dict[str, Path]) -> PerClass:
    models = open_for(CLASSES, small_files["clip"], prompts="clip", **SETTINGS)
    assert isinstance(models, PerClass)
    return models


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_judged_as_if_loaded_with_its_name(
    name: str, per_class: PerClass, small_files: dict[str, Path]
) -> None:
    alone = load(small_files["clip"], prompts="clip", class_name=name, **SETTINGS)
    mine = per_class.for_class(name)
    assert np.allclose(mine.judge.text.features, alone.judge.text.features, atol=1e-6)
    assert mine.settings == alone.settings
    picture = alone.preprocess(Image.fromarray(np.arange(3 * 900, dtype=np.uint8).reshape(30, 30, 3)))[None]
    assert np.allclose(mine.predict(picture)[1], alone.predict(picture)[1], atol=1e-5)


def test_classes_share_the_encoder_but_not_the_words(per_class: PerClass) -> None:
    first, second = (per_class.for_class(name) for name in CLASSES)
    assert first.encoder is second.encoder
    assert not np.allclose(first.judge.text.features, second.judge.text.features, atol=1e-3)
    with pytest.raises(ConfigError, match="'carpet'"):
        per_class.for_class("carpet")


def test_provenance_hashes_the_prompts_of_all_classes(per_class: PerClass, small_files: dict[str, Path]) -> None:
    told = json.loads(json.dumps(per_class.provenance()))
    assert told["prompts"] == "clip:<class name>"
    other = open_for(["metal_nut", "steel"], small_files["clip"], prompts="clip", **SETTINGS).provenance()
    assert told["prompts_sha256"] != other["prompts_sha256"]
    assert told["weights_sha256"] == other["weights_sha256"]


def test_class_agnostic_and_learned_prompts_are_one_model(small_files: dict[str, Path]) -> None:
    agnostic = open_for(CLASSES, small_files["clip"], prompts="clip-ac", class_agnostic=True, **SETTINGS)
    assert isinstance(agnostic, Detector)
    assert agnostic.provenance()["prompts"] == "clip-ac:object"
    for named in (small_files["prompts"], f"learned:{small_files['prompts']}"):
        learned = open_for(CLASSES, small_files["clip"], prompts=named, **SETTINGS)
        assert isinstance(learned, Detector)
        assert learned.provenance()["prompts"] == str(small_files["prompts"])


def test_a_class_without_a_name_is_refused(small_files: dict[str, Path]) -> None:
    with pytest.raises(PromptError, match="empty"):
        open_for([" "], small_files["clip"], prompts="clip", **SETTINGS)


def test_evaluate_takes_one_model_per_class(
    per_class: PerClass, tree: Callable[..., Path], dataset_of: Callable[[Path], Dataset], tmp_path: Path
) -> None:
    data = dataset_of(tree(tmp_path, dict.fromkeys(CLASSES, (2, 2))))
    settings = EvaluationSettings(resamples=0)
    whole = evaluate(per_class, data, settings=settings)
    mapped = evaluate({name: per_class.for_class(name) for name in CLASSES}, data, settings=settings)
    assert whole.classes == mapped.classes
    assert set(mapped.model["classes"]) == set(CLASSES)
    swapped = evaluate(
        dict(zip(CLASSES, map(per_class.for_class, CLASSES[::-1]), strict=True)), data, settings=settings
    )
    assert swapped.rows != whole.rows
