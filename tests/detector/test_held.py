"""Scores and maps stay what they were before encoders and judges became separate rooms (recorded at f912c0c; those of
`pocket` anew at ffe2b17, when its weights changed and no code had)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.hub import resolve_prompts
from anomalyclip.opening import from_files, open_for
from anomalyclip.prompts.heads import load_heads

HELD = Path(__file__).with_name("held.npz")
COUNT, STEP = 20, 9
TOLERANCE = {"rtol": 0, "atol": 2e-6}  # bit-equal on the machine that recorded them; other processors sum otherwise
BUILDERS: dict[str, Callable[[Path, Path], Any]] = {
    "pocket": lambda clip, prompts: anomalyclip.load("pocket", prompts="pocket", runtime="torch", device="cpu"),
    "small": lambda clip, prompts: from_files(clip, prompts, layers=[2, 4, 6], image_size=70, dpam_blocks=4),
    "winclip": lambda clip, prompts: open_for(["part"], clip, prompts="winclip", image_size=56, device="cpu").for_class(
        "part"
    ),  # type: ignore[union-attr]
    "clip": lambda clip, prompts: open_for(
        ["part"], clip, prompts="clip", image_size=56, device="cpu", class_agnostic=True
    ),
}


def pictures() -> list[Image.Image]:
    """Twenty pictures of three shapes, drawn here: smooth noise, every other one with a dark spot."""
    shapes = ((96, 96), (96, 60), (50, 96))
    found = []
    for number in range(COUNT):
        rng, (width, height) = np.random.default_rng(51_000 + number), shapes[number % 3]
        coarse = Image.fromarray(rng.integers(60, 200, (5, 5, 3), dtype=np.uint8))
        pixels = np.array(coarse.resize((width, height), Image.Resampling.BILINEAR))
        if number % 2:
            y, x = rng.integers(5, height - 20), rng.integers(5, width - 20)
            pixels[y : y + 12, x : x + 9] //= 4
        found.append(Image.fromarray(pixels))
    return found


def thinned(maps: Any) -> np.ndarray:
    """Every ninth pixel of maps (B, H, W), and each map's mean and peak behind them: (B, n)."""
    values = np.asarray(maps, np.float32)
    grid = values[:, ::STEP, ::STEP].reshape(len(values), -1)
    return np.concatenate([grid, values.mean((1, 2))[:, None], values.max((1, 2))[:, None]], axis=1)


@pytest.mark.parametrize("name", BUILDERS)
def test_scores_and_maps_are_the_recorded_ones(golden_folder: Path, name: str) -> None:
    model = BUILDERS[name](golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth")
    found = [model.predict(model.preprocess(image)[None]) for image in pictures()]
    with np.load(HELD) as held:
        np.testing.assert_allclose(
            np.concatenate([np.asarray(scores) for scores, _ in found]), held[f"{name}.scores"], **TOLERANCE
        )
        maps = np.concatenate([thinned(maps) for _, maps in found])
        np.testing.assert_allclose(maps, held[f"{name}.maps"], **TOLERANCE)


def test_pocket_s_heads_leave_its_maps_and_add_what_they_say_to_its_scores() -> None:
    """The scores from the recorded ones, and the read-out's numbers applied here to the stem's stages."""
    file = load_heads(resolve_prompts("pocket-heads", offline=True))
    read = file.readout
    assert read is not None
    model = anomalyclip.load("pocket", runtime="torch", device="cpu", glance=0, map_weight=0.5, smoothed="probability")
    for index, image in enumerate(pictures()[:4]):
        pixels = model.preprocess(image)[None]
        stages = model.features(pixels, FeatureRequest(stages=read.stages)).stages
        told = [f(stages[number][0], axis=(1, 2)) for number in read.stages for f in (np.mean, np.std, np.max)]
        apart = np.clip((np.concatenate(told) - read.center) / read.scale, -6, 6)
        chance = 1 / (1 + np.exp(-(apart @ read.weights + read.bias)))
        scores, maps = model.predict(pixels)
        with np.load(HELD) as held:
            before, anomaly_map = held["pocket.scores"][index], held["pocket.maps"][index]
        np.testing.assert_allclose(thinned(maps)[0], anomaly_map, **TOLERANCE)
        peak = anomaly_map[-1]
        token = (before - 0.5 * peak) / 0.5
        picture = (1 - read.share) * token + read.share * chance
        np.testing.assert_allclose(scores[0], 0.5 * picture + 0.5 * peak, atol=1e-5)
