"""`export --features`: what is asked for beside scores and maps, in the way the model is set to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anomalyclip.bench import variants
from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.detector import Detector
from anomalyclip.encoders.graph import GraphEncoder
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.evaluation import CacheSettings, EvaluationSettings, evaluate
from anomalyclip.export.making import ExportOptions, export_model, with_features
from anomalyclip.judges.words import Words
from anomalyclip.settings.reading import kinds_of


def test_kinds_become_the_layers_and_the_path_of_the_model(model) -> None:
    wanted = with_features(model, kinds_of("image,patches, tokens", "--features"))
    assert wanted == FeatureRequest(
        verdict=True, image=True, patches=(1, 2), tokens=(1, 2), dpam="vv", dpam_blocks=1,
        post_norm_class=model.request.post_norm_class,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="no convolutional stem"):
        with_features(model, ("stages",))


@pytest.mark.parametrize("given", ["", "windows", "image,image", "verdict"])
def test_other_kinds_are_refused(given) -> None:
    with pytest.raises(ConfigError, match="image, patches, tokens, stages"):
        kinds_of(given, "--features")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_export_with_features_gives_torchs(model, tmp_path) -> None:
    gives = with_features(model, ("image", "patches"))
    export_model(model, tmp_path / "out", ExportOptions("onnx", verification_images=1, gives=gives))
    graph = GraphEncoder(tmp_path / "out", device="cpu", threads=1, streams=1)
    picture = np.random.default_rng(0).integers(0, 256, (42, 42, 3), dtype=np.uint8)
    alone = replace(gives, verdict=False)
    image = Image.fromarray(picture)
    wanted = model.features(model.preprocess(image)[None], alone)
    found = graph.encode(graph.preprocess(image)[None], alone).numpy()
    np.testing.assert_allclose(found.image, wanted.image, atol=2e-5)
    for layer in (1, 2):
        np.testing.assert_allclose(found.patches[layer], wanted.patches[layer], atol=2e-5)


def test_the_benchs_kept_exports_know_the_recipe(model, tmp_path, monkeypatch) -> None:
    made: list[str] = []
    making = "anomalyclip.export.making.export_model"
    monkeypatch.setattr(making, lambda model, folder, *_, **__: made.append(folder.name))
    variant = next(one for one in variants.VARIANTS.values() if one.format == "onnx")
    for recipe in (3, 4):
        monkeypatch.setattr("anomalyclip.export.conversions.RECIPE", recipe)
        variants.artefact(variant, model, tmp_path)
    assert len(set(made)) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_int8_features_are_kept_apart_from_float32s(model, photos, exported, tmp_path, monkeypatch) -> None:
    """As native's are, on a runtime that computes in int8 on every processor."""
    for number, photo in enumerate(photos):
        photo.save(tmp_path / f"{number}.png")
    items = tuple(
        Item(tmp_path / f"{number}.png", None, number % 2, "bolt", "", False) for number in range(len(photos))
    )
    data, quick = Dataset("tiny", tmp_path, "test", items), EvaluationSettings(resamples=0)
    graph = GraphEncoder(exported("openvino", "int8"), device="cpu", threads=1)
    int8, cache = Detector(graph, model.judge, model.settings), CacheSettings(tmp_path / "cache", "fp32")

    def scores(detector: Detector, kept: CacheSettings | None = cache) -> list[float | None]:
        return [row.score for row in evaluate(detector, data, settings=quick, cache=kept).rows]

    exact, first = scores(model), scores(int8)
    np.testing.assert_allclose(first, scores(int8, None), atol=1e-6)
    assert first != exact
    monkeypatch.setattr(GraphEncoder, "run", lambda *_: pytest.fail("its features lie in the cache"))
    assert (scores(int8), scores(model)) == (first, exact)
    keys = [one.feature_key("fp32") for one in (model, int8)]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {key.digest for key in keys}
    assert [key.rounding.split()[:2] for key in keys] == [[], ["int8", "openvino"]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_glance_is_built_into_the_graph(model, tmp_path) -> None:
    glancing = Detector(model.encoder, Words(model.judge.text, replace(model.settings, glance=28)), model.settings)
    gives = with_features(glancing, ("image",))
    export_model(glancing, tmp_path / "out", ExportOptions("openvino", verification_images=1, gives=gives))
    graph = GraphEncoder(tmp_path / "out", device="cpu", threads=1, streams=1)
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (42, 42, 3), dtype=np.uint8))
    pixels, wanted = graph.preprocess(image)[None], FeatureRequest(image=True, glance=28)
    exact = glancing.features(glancing.preprocess(image)[None])
    np.testing.assert_allclose(graph.encode(pixels, wanted).image, exact.image, atol=2e-5)
    assert np.abs(exact.image - model.features(model.preprocess(image)[None]).image).max() > 1e-3
    verdict = graph.encode(pixels, FeatureRequest(verdict=True)).verdict
    np.testing.assert_allclose(verdict[0], glancing.predict(glancing.preprocess(image)[None])[0], atol=1e-5)
    assert "glance 28, not 0" in str(graph.offers(FeatureRequest(image=True)))
    assert graph.offers(FeatureRequest(patches=(1,))) is not None  # it was not asked to give them
