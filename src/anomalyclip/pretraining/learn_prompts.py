"""Learn the prompts of the finished embedded CLIP on renders, features computed once (METHOD section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.vision import default_dpam_blocks
from anomalyclip.data.synthetic import render
from anomalyclip.data.transforms import normalise, preprocess_mask
from anomalyclip.losses import glocal_loss
from anomalyclip.pretraining.recipe import PROMPT_SEED, TRAINED_WORLD, PromptRecipe
from anomalyclip.pretraining.shards import SEEN_FAMILIES
from anomalyclip.prompts import PromptFile, PromptLearner, PromptMetadata, PromptSettings, save_prompts


@dataclass
class Features:
    """Frozen features of the auxiliary renders: image (M, E), patches (M, N, E), labels (M,), masks (M, S, S)."""

    image: Tensor
    patches: Tensor
    labels: Tensor
    masks: Tensor


def render_features(clip: CLIP, count: int, *, batch_size: int = 16) -> Features:
    """Encode ``count`` renders of the seen families at the model's own size."""
    size, last = clip.config.vision.image_size, clip.config.vision.layers
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for first in track(range(0, count, batch_size), description="encoding renders"):
        indices = range(first, min(first + batch_size, count))
        samples = [render(PROMPT_SEED + index, size, families=SEEN_FAMILIES, world=TRAINED_WORLD) for index in indices]
        pixels = torch.from_numpy(normalise(np.stack([sample.image for sample in samples])))
        with torch.inference_mode():
            out = clip.visual(pixels, layers=[last])
        prepared = [preprocess_mask(sample.labels > 0, size) for sample in samples]
        masks = torch.from_numpy(np.stack(prepared)).to(torch.uint8)
        labels = torch.tensor([int(sample.anomalous) for sample in samples])
        parts.append((out.image, out.patches[last].half(), labels, masks))
    return Features(*(torch.cat(column) for column in zip(*parts, strict=True)))


def learn_prompts(clip: CLIP, features: Features, recipe: PromptRecipe) -> tuple[PromptLearner, list[float]]:
    """Adam on the glocal loss, with the settings of ``recipe``; returns the learner and the loss of every epoch."""
    settings = PromptSettings(n_ctx=recipe.context_length, depth=recipe.depth, deep_length=recipe.deep_length)
    text = clip.text_tower()
    learner = PromptLearner(text, clip.tokenizer(), settings, seed=recipe.seed)
    optimiser = torch.optim.Adam(learner.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.999))
    generator = torch.Generator().manual_seed(recipe.seed)
    curve = []
    for _ in track(range(recipe.epochs), description="learning prompts"):
        losses = []
        for chosen in _batches(len(features.labels), recipe.batch_size, generator):
            loss = glocal_loss(
                features.image[chosen].clone(),
                [features.patches[chosen].float()],
                learner.text_features(text),
                features.labels[chosen],
                features.masks[chosen].float(),
            ).total
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
        curve.append(float(np.mean(losses)))
    return learner, curve


def _batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    yield from torch.split(torch.randperm(count, generator=generator), size)


def save_curve(path: Path, curve: list[float]) -> None:
    """Loss per epoch as CSV."""
    path.write_text("epoch,loss\n" + "".join(f"{i},{v:.5f}\n" for i, v in enumerate(curve, start=1)))


def save_pocket_prompts(path: Path, clip: CLIP, learner: PromptLearner, recipe: PromptRecipe) -> None:
    """Write the learned prompts with everything a prompt file records."""
    with torch.no_grad():
        features = learner.text_features(clip.text_tower())
    vision = clip.config.vision
    metadata = PromptMetadata(
        backbone="pocket",
        weights_sha256=clip.weights_sha256,
        text_width=clip.config.text.width,
        embed_dim=clip.config.embed_dim,
        training={"data": "anomalyclip.data.synthetic", "families": list(SEEN_FAMILIES), "first_seed": PROMPT_SEED}
        | asdict(recipe),
        layers=(vision.layers,),
        image_size=vision.image_size,
        dpam_blocks=default_dpam_blocks(vision.layers),
        map_weight=recipe.map_weight,
    )
    save_prompts(path, PromptFile.from_learner(learner, features, metadata))
