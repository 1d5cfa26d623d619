"""The read-out of a stem: its fit against scikit-learn, its part in the score, its file, and where it cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from anomalyclip.data.synthetic.looks import another
from anomalyclip.detector import Detector
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.export.graph import DetectorGraph
from anomalyclip.judges.heads import Heads
from anomalyclip.opening import load, open_detector
from anomalyclip.pretraining.readout import Seen, fit, learn, looked_at
from anomalyclip.pretraining.recipe import ReadoutRecipe
from anomalyclip.prompts.heads import HEADS_KEY, load_heads, save_heads
from anomalyclip.prompts.readout import SPREAD
from anomalyclip.settings import ModelSettings

STAGES = (3, 5)
SHARE = ReadoutRecipe().share


@pytest.fixture(scope="module")
def pocket() -> Detector:
    return load("pocket", prompts="pocket", runtime="torch", image_size=64)


@pytest.fixture(scope="module")
def pixels(pocket) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(3, 3, 64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def file(pocket):
    channels = sum(pocket.encoder.facts.stages[number].channels for number in STAGES)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 3 * channels)).astype(np.float32)
    families = np.array(["a", "b", "c"])[rng.integers(0, 3, 30)]
    return learn(pocket, Seen(values, values + 0.1, rng.integers(0, 2, 30), families), STAGES, ReadoutRecipe())


def test_the_fit_is_scikit_learns_but_for_the_size_of_the_logit():
    rng = np.random.default_rng(1)
    values, labels = rng.normal(2, 3, (80, 12)).astype(np.float32), rng.integers(0, 2, 80)
    center, scale, weights, bias = fit(Seen(values, values, labels, np.array(["one"] * 80)), penalty=0.05)
    spread = np.clip((values - center) / scale, -6, 6)
    theirs = LogisticRegression(C=0.05, tol=1e-10, max_iter=5000).fit(spread, labels)
    logits = theirs.decision_function(spread)
    np.testing.assert_allclose(spread @ weights + bias, logits / (spread @ theirs.coef_[0]).std(ddof=1), atol=1e-3)


def test_calm_and_steady_minimise_what_they_say():
    rng = np.random.default_rng(5)
    values, labels = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 2, 60)
    families = np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    values[families == "b", 0] += 4  # what a picture shows, and what is wrong with it
    values[:, 0] += labels
    looks = values + rng.normal(size=values.shape).astype(np.float32) * np.array([0, 2, 0, 1], np.float32)
    seen = Seen(values, looks, labels, families)
    center, scale, weights, bias = fit(seen, penalty=0.5, calm=2.0, steady=0.7)
    spread, other = (np.clip((one - center) / scale, -SPREAD, SPREAD).astype(np.float64) for one in (values, looks))

    def objective(found: np.ndarray) -> float:
        logits = spread @ found[:-1] + found[-1]
        good = [logits[(families == one) & (labels == 0)].mean() for one in "abc"]
        losses = np.logaddexp(0, logits) - labels * logits
        moved = np.mean(((spread - other) @ found[:-1]) ** 2)
        return float(losses.sum() + found[:-1] @ found[:-1] / (2 * 0.5) + 60 * (2.0 * np.var(good) + 0.7 * moved))

    best = minimize(objective, np.zeros(5), tol=1e-12).x
    expected = best / (spread @ best[:-1]).std(ddof=1)
    np.testing.assert_allclose([*weights, bias], expected, atol=1e-3)
    plain, calm = (fit(seen, penalty=0.5, calm=term)[2] for term in (0.0, 2.0))
    spreads = [np.std([(spread @ w)[(families == one) & (labels == 0)].mean() for one in "abc"]) for w in (calm, plain)]
    assert spreads[0] < spreads[1] / 3
    moves = [np.mean(((spread - other) @ w) ** 2) for w in (weights, calm)]
    assert moves[0] < moves[1] / 2


def test_pictures_are_seen_in_two_looks(pocket):
    rng = np.random.default_rng(8)
    pictures = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(4)]
    seen = looked_at(
        pocket, [(one, n % 2, f"kind {n}") for n, one in enumerate(pictures)], replace(ReadoutRecipe(), seed=11)
    )
    stages = tuple(pocket.encoder.visual.config.stem.taps)

    def summaries(picture):
        given = pocket.encoder.encode(pocket.preprocess(picture)[None], FeatureRequest(summaries=stages)).summaries
        return np.concatenate([given[number][0] for number in stages])

    np.testing.assert_array_equal(seen.values, [summaries(one) for one in pictures])
    shown = [Image.fromarray(another(np.random.default_rng([11, n]), np.asarray(p))) for n, p in enumerate(pictures)]
    np.testing.assert_array_equal(seen.looks, [summaries(one) for one in shown])
    assert (seen.labels.tolist(), seen.families.tolist()) == ([0, 1, 0, 1], [f"kind {n}" for n in range(4)])
    assert np.abs(seen.values - seen.looks).max(axis=1).min() > 1e-3


def test_summaries_are_those_of_every_channel(pocket, pixels):
    found = pocket.encoder.encode(pixels, FeatureRequest(stages=(3,), summaries=(5, 3)))
    assert sorted(found.stages) == [3]
    whole = pocket.encoder.encode(pixels, FeatureRequest(stages=(3, 5))).stages
    for number, stage in whole.items():
        expected = [f(stage, axis=(2, 3)) for f in (np.mean, np.std, np.max)]
        np.testing.assert_allclose(found.summaries[number], np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


def test_maps_stay_the_prompts_and_the_share_moves_the_picture_s_score(pocket, pixels, file):
    own, maps = pocket.predict(pixels)
    peak, weight = maps.max(axis=(1, 2)), pocket.settings.map_weight
    picture = (own - weight * peak) / (1 - weight)
    given = pocket.encoder.encode(pixels, Heads(file, pocket.settings, "h").needs(pocket.encoder))
    told = file.readout.probability(given.summaries)
    for share in (0.0, SHARE, 1.0):
        shared = replace(file, readout=replace(file.readout, share=share))
        judged = pocket.with_judge(Heads(shared, pocket.settings, "h"))
        for scores, same in (judged.predict(pixels), judged.judge.judge(given, (64, 64))):  # on tensors, and in NumPy
            np.testing.assert_allclose(same, maps, atol=1e-5)
            mixed = (1 - share) * picture + share * told
            np.testing.assert_allclose(scores, (1 - weight) * mixed + weight * peak, atol=2e-5)
    assert np.ptp(told) > 1e-4


def test_the_file_comes_back_and_opens_by_name(pocket, pixels, file, tmp_path):
    path = tmp_path / "heads.safetensors"
    save_heads(path, file)
    found = load_heads(path)
    assert (found.sha256, found.readout.header()) == (file.sha256, file.readout.header())
    assert found.sha256 != replace(file, readout=None).sha256
    assert found.sha256 != replace(file, readout=replace(file.readout, share=0.25)).sha256
    opened = open_detector("pocket", prompts=f"heads:{path}", runtime="torch", image_size=64)
    told = {name: getattr(file.metadata, name) for name in ("map_weight", "smoothed")}
    judged = pocket.with_judge(Heads(file, replace(pocket.settings, **told), "h"))
    for mine, theirs in zip(opened.predict(pixels), judged.predict(pixels), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("damage", ["missing", "zero", "nan", "length", "share", "stages"])
def test_what_cannot_be_is_refused(file, tmp_path, damage):
    path = tmp_path / "heads.safetensors"
    save_heads(path, file)
    arrays, raw = load_file(path), path.read_bytes()
    text = raw[8 : 8 + int.from_bytes(raw[:8], "little")].decode()
    import json

    told = json.loads(json.loads(text)["__metadata__"][HEADS_KEY])
    scale = arrays["readout.scale"]
    changed = {
        "missing": {name: one for name, one in arrays.items() if name != "readout.center"},
        "zero": arrays | {"readout.scale": scale * 0},
        "nan": arrays | {"readout.weights": scale * np.nan},
        "length": arrays | {"readout.weights": scale[1:]},
    }.get(damage, arrays)
    if damage == "share":
        told["readout"]["share"] = 2
    if damage == "stages":
        told["readout"]["stages"] = ["3"]
    save_file(changed, path, {HEADS_KEY: json.dumps(told)})
    with pytest.raises(PromptError, match=r"read-?out"):
        load_heads(path)


def test_a_tower_without_a_stem_refuses_it(pocket, clip, file):
    plain = TorchEncoder(clip.visual, name="small", weights_sha256="")
    with pytest.raises(ConfigError, match="stage"):
        Detector(plain, Heads(file, pocket.settings, "h"), ModelSettings(image_size=70, layers=(4,)))
    with pytest.raises(PromptError, match=r"statistics of a stem, this one has 12"):
        file.readout.probability({number: np.zeros((1, 6), np.float32) for number in STAGES})


def test_a_graph_holds_it(pocket, pixels, file):
    judged = pocket.with_judge(Heads(file, pocket.settings, "h"))
    with torch.inference_mode():
        found = DetectorGraph(judged, "normalised")(torch.from_numpy(pixels))
    for mine, theirs in zip(found, judged.predict(pixels), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
