"""Heads: the same as words where the vectors are words', a restatement in NumPy where not, and their file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter

from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.judges.heads import Heads
from anomalyclip.judges.words import Words
from anomalyclip.opening import open_detector
from anomalyclip.prompts import Backbone, PromptMetadata, load_prompts
from anomalyclip.prompts.bounded import MAX_BYTES
from anomalyclip.prompts.heads import HEADS_KEY, HeadsFile, check_heads, load_heads, save_heads
from anomalyclip.prompts.kinds import load_any, read_metadata
from anomalyclip.settings import ModelSettings

SHA = "ab" * 32
LAYERS = (2, 4, 6)
SETTINGS = ModelSettings(image_size=70, layers=LAYERS, dpam_blocks=4, map_weight=0.25)
METADATA = PromptMetadata(
    backbone="small", weights_sha256=SHA, text_width=128, embed_dim=64, method="heads", layers=LAYERS, image_size=70,
    dpam="vv", dpam_blocks=4,
)  # fmt: skip


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


@pytest.fixture
def file() -> HeadsFile:
    return HeadsFile(METADATA, unit(2, 64), unit(3, 2, 64, seed=1), path="heads.safetensors")


@pytest.fixture(scope="session")
def encoder(clip) -> TorchEncoder:
    return TorchEncoder(clip.visual, name="small", weights_sha256=SHA)


@pytest.mark.parametrize("arrays", [False, True])
def test_vectors_that_are_a_text_s_embeddings_judge_as_the_words_do_to_the_last_bit(encoder, images, words, arrays):
    file = HeadsFile(METADATA, words.features, np.stack([words.features] * 3))
    both = [Detector(encoder, judge, SETTINGS) for judge in (Words(words, SETTINGS), Heads(file, SETTINGS, "h"))]
    features = both[0].encoder.run(images, both[0].request)
    verdicts = [one.judge.judge(features.numpy() if arrays else features, (70, 70)) for one in both]
    for mine, theirs in zip(*verdicts, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    assert both[0].request == both[1].request


@pytest.mark.parametrize("arrays", [False, True])
def test_every_layer_has_its_own_pair_and_the_picture_another(encoder, images, file, arrays):
    judge = Heads(file, SETTINGS, "h")
    features = encoder.run(images, judge.needs(encoder))
    scores, maps = judge.judge(features.numpy() if arrays else features, (70, 70))

    def abnormal(values: torch.Tensor, pair: np.ndarray) -> np.ndarray:
        cosines = values.numpy() / np.linalg.norm(values.numpy(), axis=-1, keepdims=True) @ pair.T
        odds = np.exp((cosines[..., 0] - cosines[..., 1]) / 0.07)
        return 1 / (1 + odds)

    layers = [abnormal(features.patches[layer], file.patches[row]) for row, layer in enumerate(LAYERS)]
    grids = torch.from_numpy(np.mean(layers, axis=0).reshape(3, 1, 5, 5))
    wide = torch.nn.functional.interpolate(grids, size=(70, 70), mode="bilinear")[:, 0].numpy()
    expected = np.stack([gaussian_filter(one, 4) for one in wide])
    np.testing.assert_allclose(np.asarray(maps), expected, atol=2e-5)
    image = abnormal(features.image, file.image)
    np.testing.assert_allclose(np.asarray(scores), 0.75 * image + 0.25 * expected.max(axis=(1, 2)), atol=2e-5)


def test_some_of_the_layers_may_be_asked_for_and_no_others(encoder, images, file):
    one = Heads(file, replace(SETTINGS, layers=(4,)), "h")
    assert one.needs(encoder).patches == (4,)
    np.testing.assert_array_equal(one.local, file.patches[1:2])
    with pytest.raises(ConfigError, match=r"heads h were learned for the layers 2, 4, 6, not for 5: leave layers out"):
        Heads(file, replace(SETTINGS, layers=(4, 5)), "h")


def test_another_pair_for_the_picture_leaves_the_map_as_it_is(encoder, images, file, words):
    first = Detector(encoder, Heads(file, replace(SETTINGS, map_weight=0.0), "h"), SETTINGS)
    other = first.with_judge(first.judge.with_text(words))
    (scores, maps), (changed, same) = first.predict(images), other.predict(images)
    np.testing.assert_array_equal(maps, same)
    assert np.abs(scores - changed).min() > 1e-4
    assert first.provenance() | {"prompts": "", "prompts_sha256": ""} == other.provenance() | {
        "prompts": "", "prompts_sha256": "", "method": "heads",
    }  # fmt: skip


def test_a_file_comes_back_whole_and_equal_content_gives_equal_bytes(file, tmp_path):
    path, again = tmp_path / "run" / "heads.safetensors", tmp_path / "again.safetensors"
    save_heads(path, file)
    save_heads(again, file)
    found = load_any(path)
    assert isinstance(found, HeadsFile)
    assert (found.metadata, found.sha256, read_metadata(path)) == (file.metadata, file.sha256, file.metadata)
    np.testing.assert_array_equal(found.image, file.image)
    np.testing.assert_array_equal(found.patches, file.patches)
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("part", ["image", "patches", "layers"])
def test_the_hash_is_of_what_decides_the_scores(file, part):
    changed = {
        "image": replace(file, image=file.image[::-1].copy()),
        "patches": replace(file, patches=file.patches[::-1].copy()),
        "layers": replace(file, metadata=replace(METADATA, layers=(2, 4, 5))),
    }[part]
    assert changed.sha256 != file.sha256
    assert replace(file, path="elsewhere", metadata=replace(METADATA, created="today")).sha256 == file.sha256


def test_another_backbone_is_refused_with_the_remedy(file):
    own = Backbone("small", SHA, 128, 6, 64)
    check_heads(file, own)
    check_heads(replace(file, metadata=replace(METADATA, weights_sha256=None)), own)
    for changes in ({"name": "vit-b-16", "weights_sha256": "cd" * 32}, {"embed_dim": 65}):
        with pytest.raises(PromptError, match=r"were learned on small .*, not on .*train --method heads"):
            check_heads(file, replace(own, **changes))


def test_the_door_takes_them_by_either_name_and_refuses_another_clip(file, tmp_path, golden_folder):
    path, clip = tmp_path / "heads.safetensors", golden_folder / "clip_small_openai.safetensors"
    save_heads(path, replace(file, metadata=replace(METADATA, weights_sha256=None)))
    found = [open_detector(clip, prompts=name, runtime="torch") for name in (f"heads:{path}", path)]
    assert [one.method for one in found] == ["heads", "heads"]
    assert found[0].provenance() == found[1].provenance() | {"prompts": str(path)}
    assert found[0].settings.layers == LAYERS
    with pytest.raises(PromptError, match="learned by the method heads, not coop; name it heads:PATH"):
        open_detector(clip, prompts=f"coop:{path}", runtime="torch")
    save_heads(path, file)
    with pytest.raises(PromptError, match=r"heads\.safetensors were learned on small"):
        open_detector(clip, prompts=path, runtime="torch")
    with pytest.raises(PromptError, match=r"holds learned heads, not prompts; use them with --prompts heads:"):
        load_prompts(path)


@pytest.mark.parametrize(
    "damage", ["missing", "extra", "nan", "length", "shape", "double", "layers", "sigma", "format"]
)
def test_what_cannot_be_is_named(file, tmp_path, damage):
    path = tmp_path / "heads.safetensors"
    save_heads(path, file)
    arrays, told = load_file(path), {"format": 1, "metadata": METADATA.__dict__}
    if damage == "layers":
        told["metadata"] = told["metadata"] | {"layers": []}
    if damage == "sigma":
        told["metadata"] = told["metadata"] | {"sigma": -1.0}
    if damage == "format":
        told["format"] = 2
    changed = {
        "missing": {"image": arrays["image"]},
        "extra": arrays | {"more": arrays["image"]},
        "nan": arrays | {"patches": arrays["patches"] * np.nan},
        "length": arrays | {"image": arrays["image"] * 2},
        "shape": arrays | {"patches": arrays["patches"][:2]},
        "double": arrays | {"image": arrays["image"].astype(np.float64)},
    }.get(damage, arrays)
    save_file(changed, path, {HEADS_KEY: json.dumps(told)})
    expected = {"format": "upgrade anomalyclip", "sigma": "sigma", "layers": "layers"}.get(damage, "image|patches|more")
    with pytest.raises(PromptError, match=rf"heads\.safetensors.*({expected})"):
        load_heads(path)


def test_a_file_larger_than_any_of_its_kind_is_not_read(tmp_path):
    path = tmp_path / "heads.safetensors"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(PromptError, match="larger than 64 MiB"):
        load_heads(path)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("heads") / "heads.safetensors"
    save_heads(path, HeadsFile(METADATA, unit(2, 64), unit(3, 2, 64, seed=1)))
    return path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_still_hold_unit_vectors(data, written, tmp_path_factory):
    """Cut, overwritten or lengthened anywhere: a PromptError, never another exception, never vectors that are not."""
    raw = bytearray(written)
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where : where + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=12))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(bytes(raw))
    try:
        found = load_heads(path)
    except PromptError:
        return
    assert (found.image.shape, found.patches.shape) == ((2, 64), (len(found.layers), 2, 64))
    np.testing.assert_allclose(np.linalg.norm(found.patches, axis=-1), 1, atol=2e-3)


def test_a_graph_holds_them(encoder, images, file):
    """What exports compute: the judge inside the graph, on the pixels of a picture."""
    from anomalyclip.export.graph import DetectorGraph

    model = Detector(encoder, Heads(file, SETTINGS, "h"), SETTINGS)
    scores, maps = DetectorGraph(model, "normalised")(images)
    for found, expected in zip((scores, maps), model.predict(images), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-6)
