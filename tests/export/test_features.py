"""`export --features`: what is asked for beside scores and maps, in the way the model is set to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anomalyclip.bench import variants
from anomalyclip.encoders.graph import GraphEncoder
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.export.making import ExportOptions, export_model, with_features
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
