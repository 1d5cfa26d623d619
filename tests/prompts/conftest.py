"""The golden small CLIP, the reference's numbers, and prompts learned on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.weights import load_clip
from anomalyclip.prompts import PromptFile, PromptLearner, PromptMetadata, PromptSettings

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="session")
def golden_path() -> Path:
    return GOLDEN


@pytest.fixture(scope="session")
def golden() -> dict[str, torch.Tensor]:
    wanted = ("prompts", "tokenized_prompts", "text_features_raw", "text_features", "ensemble_text_object")
    with np.load(GOLDEN / "golden.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in wanted}


@pytest.fixture(scope="session")
def golden_clip() -> CLIP:
    return load_clip(GOLDEN / "clip_small_openai.safetensors")


@pytest.fixture(scope="session")
def small_clip() -> CLIP:
    """A tiny random CLIP with the small vocabulary: text width 32, 3 blocks, context 24, embedding 16."""
    vision = VisionConfig(image_size=32, patch_size=16, width=32, layers=2, heads=2)
    text = TextConfig(context_length=24, vocab_size=2000, width=32, layers=3, heads=2)
    return random_clip(CLIPConfig(16, vision, text), seed=5).requires_grad_(False)


@pytest.fixture
def learner(small_clip: CLIP) -> PromptLearner:
    settings = PromptSettings(n_ctx=4, depth=3, deep_length=2)
    return PromptLearner(small_clip.text_tower(), small_clip.tokenizer(), settings, seed=3)


@pytest.fixture
def prompts(learner: PromptLearner, small_clip: CLIP) -> PromptFile:
    metadata = PromptMetadata(
        backbone="tiny",
        weights_sha256="ab" * 32,
        text_width=32,
        embed_dim=16,
        training={"data": ["renders"], "images": 12, "recipe": {"lr": 1e-3}},
        layers=(1, 2),
        image_size=64,
        dpam_blocks=2,
        sigma=2.5,
        tau=0.05,
        map_weight=0.25,
        created="2026-11-24T04:00:00+00:00",
    )
    return PromptFile.from_learner(learner, learner.text_features(small_clip.text_tower()), metadata)
