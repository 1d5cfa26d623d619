"""A tiny model of the reference's weights, and its exports, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from anomalyclip.cli import app
from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.detector import Detector
from anomalyclip.encoders.graph import BOUNDS
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.export.making import VERDICT_ALONE, ExportOptions, export_model, with_features
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.settings import ModelSettings

WITH_FEATURES = ("openvino", "int8")


def run_verb(*call: object) -> None:
    result = CliRunner().invoke(app, [*map(str, call)])
    assert result.exit_code == 0, (result.output, result.exception)


@pytest.fixture(scope="session")
def clip_files(golden_folder) -> dict[str, str]:
    """Weights and prompts, as `load` takes them."""
    return {
        "model": str(golden_folder / "clip_small_openai.safetensors"),
        "prompts": str(golden_folder / "epoch_1.pth"),
    }


@pytest.fixture(scope="session")
def model() -> Detector:
    """Two blocks, one of them with two paths: exporters take seconds per block. Settings so that all there is matters:
    both layers, a share of the map's peak, positions of another grid, a temperature that leaves scores in the middle.
    """
    vision = VisionConfig(image_size=28, patch_size=7, width=32, layers=2, heads=2)
    clip = random_clip(CLIPConfig(16, vision, TextConfig(8, 32, 16, 1, 1)), seed=1)
    pair = torch.nn.functional.normalize(torch.randn(2, 16, generator=torch.Generator().manual_seed(2)), dim=-1)
    settings = ModelSettings(image_size=42, layers=(1, 2), dpam_blocks=1, sigma=2.0, tau=0.5, map_weight=0.25)
    words = Words(TextEmbeddings(pair.numpy(), "two words", "0" * 64), settings)
    encoder = TorchEncoder(clip.visual.requires_grad_(False), name="tiny", weights_sha256="1" * 64)
    return Detector(encoder, words, settings)


@pytest.fixture(scope="session")
def photos() -> list[Image.Image]:
    """Three unlike images; none of them is among those that exports are quantised or verified with."""
    rng = np.random.default_rng(3)
    coarse = [Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)) for _ in range(3)]
    return [image.resize((90, 60), Image.Resampling.BICUBIC) for image in coarse]


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """Exports by (format, precision), made when first asked for; one of them gives features as well."""
    folder, made = tmp_path_factory.mktemp("exports"), {}

    def get(fmt: str, precision: str) -> Path:
        target = folder / f"{fmt}-{precision}"
        if target not in made:
            gives = with_features(model, ("image", "patches")) if (fmt, precision) == WITH_FEATURES else VERDICT_ALONE
            options = ExportOptions(fmt, precision, calibration_images=8, verification_images=2, gives=gives)
            with pytest.MonkeyPatch.context() as patched:
                patched.setitem(BOUNDS, "int8", 0.5)  # vectors of 32 numbers: 8 bits show more than in a real model
                made[target] = export_model(model, target, options)
        return target

    return get


@pytest.fixture(scope="session")
def factory(clip_files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """line.json with its memory, export/ made with it, bad.png; the good pictures are gone."""
    place = tmp_path_factory.mktemp("factory")
    (place / "good").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.normal(120, 20, (48, 48, 3)).clip(0, 255).astype(np.uint8)
        if number == 5:
            pixels[10:30, 10:30] = (255, 30, 30)
        Image.fromarray(pixels).save(place / ("bad.png" if number == 5 else f"good/{number}.png"))
    model = ["--model", clip_files["model"], "--prompts", clip_files["prompts"]]
    line = ["--fpr", 0.2, "--no-self-test", "--output", place / "line.json"]
    run_verb("calibrate", place / "good", *model, "--runtime", "torch", *line)
    shutil.rmtree(place / "good")
    carrying = ["--profile", place / "line.json", "--output", place / "export", "--quiet"]
    run_verb("export", clip_files["model"], *model[2:], *carrying)
    return place
