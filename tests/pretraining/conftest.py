"""A stem and a model small enough to pretrain in a test, with made-up "pretrained" weights in the real file's form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anomalyclip.clip.config import PRESETS, CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.pretraining import lite

STEM = StemConfig(
    first=8,
    stages=(
        StemStage(kernel=3, stride=1, expand=1, channels=4, repeats=1),
        StemStage(kernel=5, stride=2, expand=2, channels=6, repeats=2),
        StemStage(kernel=3, stride=2, expand=2, channels=8, repeats=1),
    ),
    taps=(2, 3),
    stride=8,
)
TINY = CLIPConfig(
    embed_dim=16,
    vision=VisionConfig(image_size=64, patch_size=8, width=24, layers=2, heads=2, stem=STEM),
    text=TextConfig(context_length=32, vocab_size=600, width=16, layers=1, heads=2),
)


def lite_state(config: StemConfig, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under EfficientNet-Lite's key names, with batch norms that are not trivial."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def convolution(name: str, norm: str, *shape: int) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        for key, low, high in (("weight", 0.5, 1.5), ("bias", -0.5, 0.5), ("running_mean", -0.5, 0.5)):
            state[f"{norm}.{key}"] = torch.empty(shape[0]).uniform_(low, high, generator=generator)
        state[f"{norm}.running_var"] = torch.empty(shape[0]).uniform_(0.5, 1.5, generator=generator)

    convolution("_conv_stem", "_bn0", config.first, 3, 3, 3)
    number, channels = 0, config.first
    for stage in config.stages:
        for _ in range(stage.repeats):
            prefix, inner = f"_blocks.{number}.", channels * stage.expand
            if stage.expand > 1:
                convolution(f"{prefix}_expand_conv", f"{prefix}_bn0", inner, channels, 1, 1)
            convolution(f"{prefix}_depthwise_conv", f"{prefix}_bn1", inner, 1, stage.kernel, stage.kernel)
            convolution(f"{prefix}_project_conv", f"{prefix}_bn2", stage.channels, inner, 1, 1)
            number, channels = number + 1, stage.channels
    return state


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an architecture that pretrains in seconds, its stem's weights in place of the real package's."""
    path = tmp_path / "lite.pth"
    torch.save(lite_state(STEM), path)
    monkeypatch.setattr(lite, "weights_path", lambda: path)
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    return "tiny"
