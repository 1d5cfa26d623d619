"""The two text embeddings of a model, from learned or hand-written prompts; then the text tower can go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.weights import load_clip
from anomalyclip.prompts import (
    NAMES,
    Backbone,
    PromptFile,
    check_backbone,
    ensemble_text_features,
    load_prompts,
)
from anomalyclip.scoring import TAU


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """``features`` (2, E) L2-normalised, [normal, abnormal]; what they are called, and a hash of what decided them."""

    features: Tensor
    name: str
    sha256: str


@dataclass(frozen=True)
class Preset:
    """Settings a prompt file records; None leaves the choice to the model's defaults."""

    layers: tuple[int, ...] | None = None
    image_size: int | None = None
    dpam: DPAMMode = "vv"
    dpam_blocks: int | None = None
    sigma: float = 4.0
    tau: float = TAU


def text_embeddings(
    clip: str | Path, prompts: str | Path, *, backbone: str, class_name: str
) -> tuple[TextEmbeddings, CLIP, Preset]:
    """Embeddings, the CLIP they belong to (without its text tower) and the file's preset.

    Raises:
        PromptError: unreadable prompts, or prompts learned on another backbone than ``clip``.
        WeightsError: ``clip`` cannot be loaded.
    """
    if str(prompts) in NAMES:
        tower = load_clip(clip)
        embeddings, preset = _handwritten(tower, str(prompts), class_name), Preset()
    else:
        file = load_prompts(prompts)
        tower = load_clip(clip, text=file.text_features is None)
        check_backbone(file, Backbone.of(tower, backbone))
        embeddings, preset = _learned(file, tower, str(prompts)), _preset(file)
    tower.text = None
    return embeddings, tower, preset


@torch.inference_mode()
def _handwritten(clip: CLIP, name: str, class_name: str) -> TextEmbeddings:
    features = ensemble_text_features(clip, clip.tokenizer(), class_name, name).clone()
    label = f"{name}:{class_name}"
    return TextEmbeddings(features, label, hashlib.sha256(label.encode()).hexdigest())


@torch.inference_mode()
def _learned(file: PromptFile, clip: CLIP, name: str) -> TextEmbeddings:
    if file.text_features is not None:
        return TextEmbeddings(file.text_features, name, file.sha256)
    text = clip.text_tower()
    learner = file.build_learner(text, clip.tokenizer())
    return TextEmbeddings(learner.text_features(text).clone(), name, file.sha256)


def _preset(file: PromptFile) -> Preset:
    recorded = file.metadata
    return Preset(
        layers=recorded.layers,
        image_size=recorded.image_size,
        dpam=recorded.dpam,  # type: ignore[arg-type]  # checked when the file was read
        dpam_blocks=recorded.dpam_blocks,
        sigma=recorded.sigma,
        tau=recorded.tau,
    )
