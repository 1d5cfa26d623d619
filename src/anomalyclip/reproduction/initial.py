"""Prompts before the first step: what "no loss" means in the ablation of the losses."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.io.atomic import output_error
from anomalyclip.reproduction.plan import DEPTH
from anomalyclip.training import TrainConfig


def write_initial_prompts(path: Path, config: TrainConfig) -> None:
    """The random prompts that a training with this configuration starts from, as a prompt file.

    Raises HubError, WeightsError where the model cannot be had, OutputError where the file cannot be written.
    """
    import torch

    from anomalyclip.clip.weights import load_clip
    from anomalyclip.hub import resolve_model
    from anomalyclip.prompts import PromptFile, PromptLearner, PromptMetadata, PromptSettings, save_prompts

    files = resolve_model(config.model, offline=config.offline, given=config.told)
    clip = load_clip(files.weights)
    text = clip.text_tower()
    settings = PromptSettings(depth=min(DEPTH, clip.config.text.layers))
    learner = PromptLearner(text, clip.tokenizer(), settings, seed=config.seed)
    with torch.no_grad():
        features = learner.text_features(text)
    metadata = PromptMetadata(
        backbone=files.name,
        weights_sha256=clip.weights_sha256,
        text_width=clip.config.text.width,
        embed_dim=clip.config.embed_dim,
        training={"epochs": 0, "seed": config.seed},
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path.parent, error) from error
    save_prompts(path, PromptFile.from_learner(learner, features, metadata))
