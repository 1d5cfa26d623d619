"""VAND's map, layers and file: against a restatement in NumPy, round trips, and everything that must be refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from anomalyclip.clip.plain import stage_tokens
from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import PromptError
from anomalyclip.judges.linear import VAND, stage_map
from anomalyclip.prompts import Backbone, PromptFile, PromptMetadata, load_prompts
from anomalyclip.prompts.kinds import load_any
from anomalyclip.prompts.linear import (
    LinearFile,
    LinearLayers,
    check_linear,
    load_linear,
    save_linear,
)
from anomalyclip.settings import ModelSettings

STAGES = (2, 3, 5, 6)
SHA = "ab" * 32
SETTINGS = ModelSettings(
    image_size=70, layers=STAGES, dpam="qk", dpam_blocks=0, sigma=0.0, tau=0.01, post_norm_class=True
)


@pytest.fixture
def file():
    metadata = PromptMetadata(
        backbone="small",
        weights_sha256=SHA,
        text_width=128,
        embed_dim=64,
        layers=STAGES,
        image_size=70,
        dpam="qk",
        sigma=0.0,
        tau=0.01,
    )
    return LinearFile("april-gan-ensemble", metadata, LinearLayers(4, 128, 64, seed=3).learned(), "vand.safetensors")


def bilinear(values: np.ndarray, size: int) -> np.ndarray:
    """(h, h) to (size, size), corners aligned, one axis after the other."""
    at = np.linspace(0, len(values) - 1, size)
    rows = np.stack([np.interp(at, np.arange(len(values)), column) for column in values.T], axis=1)
    return np.stack([np.interp(at, np.arange(rows.shape[1]), row) for row in rows])


def restated(features: np.ndarray, text: np.ndarray, size: int) -> np.ndarray:
    """Abnormal probability (size, size) of one image's projected patches (N, E)."""
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    logits = [bilinear((100 * unit @ side).reshape(5, 5), size) for side in text]
    shifted = np.exp(np.array(logits) - np.max(logits, axis=0))
    return shifted[1] / shifted.sum(axis=0)


def test_a_stage_is_upsampled_before_the_softmax(words):
    features = torch.randn(2, 25, 64, generator=torch.Generator().manual_seed(4))
    found = stage_map(features, torch.from_numpy(words.features), 23)
    assert found.shape == (2, 2, 23, 23)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 23, 23))
    for one, image in zip(found, features.numpy(), strict=True):
        np.testing.assert_allclose(one[1], restated(image, words.features, 23), atol=2e-5)


def test_every_image_may_have_its_own_words(words, other_words):
    features = torch.randn(2, 25, 64, generator=torch.Generator().manual_seed(4))
    both = stage_map(features, torch.from_numpy(np.stack([words.features, other_words.features])), 23)
    for index, pair in enumerate((words, other_words)):
        alone = stage_map(features[index : index + 1], torch.from_numpy(pair.features), 23)
        torch.testing.assert_close(both[index : index + 1], alone, rtol=1e-4, atol=1e-5)


def test_the_whole_method_restated(clip, images, file, words):
    encoder = TorchEncoder(clip.visual, name="small", weights_sha256=SHA)
    scores, maps = Detector(encoder, VAND(file, words, SETTINGS), SETTINGS).predict(images)
    image, stages = stage_tokens(clip.visual, clip.visual.embed(images), STAGES, post_norm=True)
    cosine = torch.nn.functional.normalize(image, dim=-1) @ torch.from_numpy(words.features).T
    np.testing.assert_allclose(scores, (100 * cosine).softmax(dim=-1)[:, 1].detach(), rtol=1e-4, atol=1e-5)
    for index in range(3):
        found = []
        for number, layer in enumerate(STAGES):
            weight, bias = (file.tensors[f"layers.{number}.{name}"].numpy() for name in ("weight", "bias"))
            found.append(restated(stages[layer][index].detach().numpy() @ weight.T + bias, words.features, 70))
        np.testing.assert_allclose(maps[index], np.mean(found, axis=0), atol=1e-4)


def test_provenance_depends_on_words_and_layers(file, words, other_words):
    changed = replace(file, tensors={name: value + 1 for name, value in file.tensors.items()})
    judges = [VAND(one, words, SETTINGS) for one in (file, changed)]
    told = [one.provenance() for one in (*judges, judges[0].with_text(other_words))]
    assert len({one["prompts_sha256"] for one in told}) == 3
    assert all(one["method"] == "vand" for one in told)
    assert json.dumps(told)


def test_initial_values_are_seeded_and_those_of_a_linear_layer():
    first, again, other = (LinearLayers(2, 128, 64, seed=seed).learned() for seed in (1, 1, 2))
    bound = 128**-0.5
    for name, value in first.items():
        torch.testing.assert_close(value, again[name], rtol=0, atol=0)
        assert not torch.equal(value, other[name])
        assert 0.9 * bound < float(value.abs().max()) <= bound


def test_files_come_back_whole(file, tmp_path):
    path = tmp_path / "run" / "vand.safetensors"
    save_linear(path, file)
    found = load_linear(path)
    assert isinstance(load_any(path), LinearFile)
    assert (found.ensemble, found.metadata, found.sha256) == (file.ensemble, file.metadata, file.sha256)
    built = found.build().learned()
    for name, value in file.tensors.items():
        torch.testing.assert_close(built[name], value, rtol=0, atol=0)
    again = tmp_path / "again.safetensors"
    save_linear(again, file)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("changes", [{"name": "vit-b-16", "weights_sha256": "cd" * 32}, {"embed_dim": 65}])
def test_another_backbone_is_refused(file, changes):
    own = Backbone("small", SHA, 128, 6, 64)
    check_linear(file, own)
    check_linear(replace(file, metadata=replace(file.metadata, weights_sha256=None)), own)
    with pytest.raises(PromptError, match=r"vand\.safetensors were trained on small .*not on"):
        check_linear(file, replace(own, **changes))


def test_damaged_and_foreign_files_are_named(file, tmp_path, golden_folder):
    path = tmp_path / "vand.safetensors"
    save_linear(path, file)
    whole = path.read_bytes()
    for data in (whole[:-100], whole[:200], whole.replace(b'\\"format\\": 1', b'\\"format\\": 9')):
        path.write_bytes(data)
        with pytest.raises(PromptError, match=r"vand\.safetensors"):
            load_linear(path)
    assert isinstance(load_any(golden_folder / "epoch_1.pth"), PromptFile)
    with pytest.raises(PromptError, match="holds no linear layers"):
        load_linear(golden_folder / "epoch_1.pth")
    path.write_bytes(whole)
    with pytest.raises(PromptError, match=r"--prompts vand:.*vand\.safetensors"):
        load_prompts(path)


@pytest.mark.parametrize("damage", ["missing", "nan", "shape", "extra"])
def test_tensors_must_fit_the_stages(file, tmp_path, damage):
    path = tmp_path / "vand.safetensors"
    save_linear(path, file)
    tensors = load_file(path)
    changed = {
        "missing": {name: value for name, value in tensors.items() if name != "layers.2.bias"},
        "nan": tensors | {"layers.1.weight": tensors["layers.1.weight"] * float("nan")},
        "shape": tensors | {"layers.0.weight": tensors["layers.0.weight"].flatten()},
        "extra": tensors | {"layers.4.weight": tensors["layers.0.weight"].clone()},
    }[damage]
    header = {"format": 1, "ensemble": file.ensemble, "metadata": file.metadata.__dict__}
    save_file(changed, path, {"anomalyclip.vand": json.dumps(header)})
    with pytest.raises(PromptError, match=r"layers\.\d\.(bias|weight)"):
        load_linear(path)


def test_layers_of_another_shape_do_not_load(file):
    with pytest.raises(PromptError, match="do not fit this model"):
        LinearLayers(4, 96, 64).load_learned(file.tensors)
