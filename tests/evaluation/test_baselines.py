"""Every baseline end to end through the commands, on tiny trees and the small random CLIP; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from anomalyclip.by_class import PerClass
from anomalyclip.cli import main
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.evaluation import METRICS
from anomalyclip.opening import load, open_for
from anomalyclip.prompts import ensemble_text_features

Tree = Callable[..., Path]
CLASSES = ("metal_nut", "wood")
SETTINGS: dict[str, Any] = {"image_size": 70, "device": "cpu", "offline": True}
TRAINED = ("coop", "vand", "object-aware")
METHODS = ("clip", "clip-ac", "winclip", "winclip-ensemble", *TRAINED)


def command(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def clip_file(small_files: dict[str, Path]) -> Path:
    return small_files["clip"]


@pytest.fixture(scope="module")
def clip(clip_file: Path) -> CLIP:
    return load_clip(clip_file)


@pytest.fixture(scope="module")
def data(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("data") / "tiny", dict.fromkeys(CLASSES, (3, 3)))


@pytest.fixture(scope="module")
def runs(data: Path, clip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run of each trained method, made by the command."""
    root = tmp_path_factory.mktemp("runs")
    for method in TRAINED:
        ended = command(
            "train", data, "-o", root / method, "--method", method, "--model", clip_file, "--image-size", 70,
            "--epochs", 1, "--device", "cpu", "--cache-dir", root / "cache", "--offline", "-q",
        )  # fmt: skip
        assert ended == 0
    return root


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def spec(method: str, runs: Path) -> str:
    return f"{method}:{runs / method}" if method in TRAINED else method


@pytest.mark.parametrize("method", METHODS)
def test_commands_end_to_end(method: str, data: Path, clip_file: Path, runs: Path, tmp_path: Path) -> None:
    ended = command(
        "evaluate", data, "--prompts", spec(method, runs), "--model", clip_file, "--image-size", 70, "--device", "cpu",
        "--offline", "--resamples", 0, "--no-plots", "-q", "-o", tmp_path / "out",
    )  # fmt: skip
    assert ended == 0
    told = json.loads((tmp_path / "out/metrics.json").read_text())
    assert told["model"]["method"] == method
    assert told["model"]["prompts"].endswith(":<class name>")
    assert all(0 <= value <= 1 for name in METRICS if (value := told["mean"][name]) is not None)
    assert set(told["classes"]) == set(CLASSES)


@pytest.mark.parametrize("method", METHODS)
def test_classes_differ_in_their_words_alone(method: str, clip_file: Path, runs: Path, picture: Image.Image) -> None:
    models = open_for(CLASSES, clip_file, prompts=spec(method, runs), **SETTINGS)
    assert isinstance(models, PerClass)
    nut, wood = (models.for_class(name) for name in CLASSES)
    assert nut.encoder is wood.encoder
    pixels = nut.preprocess(picture)[None]
    assert not np.array_equal(nut.predict(pixels)[0], wood.predict(pixels)[0])
    swapped = open_for(CLASSES[::-1], clip_file, prompts=spec(method, runs), **SETTINGS)
    for a, b in zip(swapped.for_class("wood").predict(pixels), wood.predict(pixels), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    agnostic = open_for(CLASSES, clip_file, prompts=spec(method, runs), class_agnostic=True, **SETTINGS)
    assert not isinstance(agnostic, PerClass)
    named = open_for(["object"], clip_file, prompts=spec(method, runs), **SETTINGS)
    np.testing.assert_allclose(
        agnostic.predict(pixels)[1], named.for_class("object").predict(pixels)[1], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["clip", "clip-ac"])
def test_clip_is_plain_clip(name: str, clip: CLIP, clip_file: Path, picture: Image.Image) -> None:
    """CLIP's own image feature, and maps from the single path: no DPAM, LN_post on the class token."""
    model = open_for(CLASSES, clip_file, prompts=name, sigma=0, **SETTINGS).for_class("wood")
    pixels = torch.from_numpy(model.preprocess(picture)[None])
    scores, maps = model.predict(pixels)
    pair = ensemble_text_features(clip, clip.tokenizer(), "wood", name)
    feature = torch.nn.functional.normalize(clip.encode_image(pixels), dim=-1)
    assert float(scores[0]) == pytest.approx(float((feature @ pair.T / 0.07).softmax(dim=-1)[0, 1]), abs=1e-5)
    patches = clip.visual(pixels, layers=[6], dpam="qk").patches[6][0]
    grid = (torch.nn.functional.normalize(patches, dim=-1) @ pair.T / 0.07).softmax(dim=-1)[:, 1].view(1, 1, 5, 5)
    wanted = torch.nn.functional.interpolate(grid, (70, 70), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(maps, wanted.detach(), rtol=1e-4, atol=1e-5)
    assert model.settings.dpam == "qk"
    assert open_for(CLASSES, clip_file, prompts=name, dpam="vv", **SETTINGS).for_class("wood").settings.dpam == "vv"


def test_words_alone_are_judged_by_the_two_path_tower(clip_file: Path) -> None:
    settings = open_for(CLASSES, clip_file, prompts="winclip-ensemble", **SETTINGS).for_class("wood").settings
    assert (settings.dpam, settings.post_norm_class, settings.sigma) == ("vv", True, 4.0)


def test_winclip_takes_the_size_the_tower_was_trained_at(clip_file: Path) -> None:
    model = open_for(CLASSES, clip_file, prompts="winclip", device="cpu", offline=True).for_class("wood")
    assert (model.settings.image_size, model.settings.sigma, model.settings.post_norm_class) == (56, 0.0, True)


@pytest.mark.parametrize("method", TRAINED)
def test_a_run_folder_says_itself_what_it_is(method: str, clip_file: Path, runs: Path, picture: Image.Image) -> None:
    """As prompts with or without prefix, and as the model."""
    several = [
        open_for(CLASSES, clip_file, prompts=runs / method, **SETTINGS),
        open_for(CLASSES, clip_file, prompts=f"learned:{runs / method}", **SETTINGS),
        open_for(CLASSES, runs / method, **SETTINGS),
    ]
    first = several[0].for_class("wood")
    for models in several:
        model = models.for_class("wood")
        assert model.provenance()["method"] == method
        for a, b in zip(model.predict(model.preprocess(picture)[None]), first.predict(first.preprocess(picture)[None]),
                        strict=True):  # fmt: skip
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", TRAINED)
def test_another_kind_and_another_backbone_are_refused(
    method: str, clip: CLIP, clip_file: Path, runs: Path, small_files: dict[str, Path], tmp_path: Path
) -> None:
    for other in ("coop", "vand", "object-aware"):
        if other != method:
            with pytest.raises(PromptError, match=f"by the method {method}, not {other}"):
                open_for(CLASSES, clip_file, prompts=f"{other}:{runs / method}", **SETTINGS)
        with pytest.raises(PromptError, match=f"by the method anomalyclip, not {other}"):
            open_for(CLASSES, clip_file, prompts=f"{other}:{small_files['prompts']}", **SETTINGS)
    changed = load_clip(clip_file)
    changed.visual.proj.data += 0.01
    save_clip(tmp_path / "other.safetensors", changed)
    with pytest.raises(PromptError, match=r"other\.safetensors"):
        open_for(CLASSES, tmp_path / "other.safetensors", prompts=spec(method, runs), **SETTINGS)


@pytest.mark.parametrize("given", [{"layers": [6]}, {"dpam": "vv"}, {"map_weight": 0.5}])
@pytest.mark.parametrize("method", ["winclip", "vand"])
def test_what_a_baseline_does_not_have_is_no_choice(
    method: str, given: dict[str, Any], clip_file: Path, runs: Path
) -> None:
    with pytest.raises(ConfigError, match=f"{method} has no {next(iter(given))} to choose"):
        open_for(CLASSES, clip_file, prompts=spec(method, runs), **given, **SETTINGS)


def test_detect_fills_object_aware_prompts_too(clip_file: Path, runs: Path, picture: Image.Image) -> None:
    wood = load(clip_file, prompts=runs / "coop", class_name="wood", device="cpu", image_size=70)
    mine = open_for(CLASSES, clip_file, prompts=runs / "coop", **SETTINGS).for_class("wood")
    assert wood.detect(picture).score == pytest.approx(
        float(mine.predict(mine.preprocess(picture)[None])[0][0]), abs=1e-6
    )
    assert wood.provenance()["prompts_sha256"] == mine.provenance()["prompts_sha256"]
