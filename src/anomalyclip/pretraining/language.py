"""The last phase: a new text tower learns to describe what the finished, locked image tower sees (as in LiT).

While the image tower was trained, the sentences of the two states were drawn to fixed directions, a target that stood
still. Words kept that way would be answers learned by heart, with nothing left for prompts to find. So the tower that
ships learns from captions and region words alone, as CLIP's did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.pretraining.objective import contrastive, encode, pool_regions
from anomalyclip.pretraining.recipe import LanguageRecipe, Recipe
from anomalyclip.pretraining.shards import ShardReader, tap_shapes

_BATCH = 16


@dataclass
class Pictures:
    """What the locked image tower sees in M renders.

    image: (M, E) global features. regions: per render, (K, E) local features pooled over each of its K defects.
    captions, flawless, region_words: the words for each; ``flawless`` is None for a normal render.
    """

    image: Tensor
    regions: list[Tensor]
    captions: list[str]
    flawless: list[str | None]
    region_words: list[list[str]]


@torch.inference_mode()
def encode_pictures(clip: CLIP, reader: ShardReader, count: int) -> Pictures:
    """Run the image tower once over ``count`` renders of a reader, or all of fewer, spread over its sources."""
    seen = Pictures(torch.empty(0), [], [], [], [])
    parts = []
    indices = np.linspace(0, len(reader) - 1, min(count, len(reader))).astype(int)
    for first in track(range(0, len(indices), _BATCH), description="encoding captioned renders"):
        batch = reader.batch(indices[first : first + _BATCH])
        image, patches = encode(clip, batch)
        parts.append(image)
        counts = [len(words) for words in batch.region_captions]
        seen.regions += torch.split(pool_regions(patches, batch), counts)
        seen.captions += batch.captions
        seen.flawless += [
            text if label else None for text, label in zip(batch.normal_captions, batch.labels.tolist(), strict=True)
        ]
        seen.region_words += batch.region_captions
    seen.image = torch.cat(parts)
    return seen


def learn_language(clip: CLIP, pictures: Pictures, recipe: LanguageRecipe, seed: int) -> list[float]:
    """Replace the text tower by one that starts from nothing and learns the pictures' words; the loss of every step."""
    clip.text = random_clip(clip.config, seed + 1).text_tower()
    tower, tokenizer = clip.text_tower(), clip.tokenizer()
    clip.logit_scale.data.fill_(math.log(1 / 0.07))
    trained = [*tower.requires_grad_(True).parameters(), clip.logit_scale.requires_grad_(True)]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    curve = []
    for step, chosen in enumerate(track(_batches(len(pictures.captions), recipe, seed), total=recipe.steps)):
        rise, fall = min(1.0, (step + 1) / 100), 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rise * fall
        captions = [pictures.captions[i] for i in chosen]
        negatives = [text for i in chosen if (text := pictures.flawless[i]) is not None]
        words = [word for i in chosen for word in pictures.region_words[i]]
        encoded = F.normalize(
            tower.encode_tokens(tokenizer.encode_batch(captions + negatives + words, truncate=True)), dim=-1
        )
        texts, region_texts = encoded[: len(captions) + len(negatives)], encoded[len(captions) + len(negatives) :]
        scale = clip.logit_scale.exp().clamp(max=100.0)
        loss = contrastive(pictures.image[chosen].clone(), texts, captions, captions + negatives, scale)
        if len(words) > 1:
            regions = torch.cat([pictures.regions[i] for i in chosen]).clone()
            loss = loss + recipe.region * contrastive(regions, region_texts, words, words, scale)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        curve.append(float(loss.detach()))
    return curve


def speak(clip: CLIP, recipe: Recipe, log: Path, *, shards: Path) -> None:
    """Give ``clip`` its language: :func:`learn_language` on the renders of the last phase; the losses go to ``log``."""
    shapes = tap_shapes(clip.visual.stem, recipe.phases[-1].image_size)
    pictures = encode_pictures(clip, ShardReader(shards, recipe, recipe.phases[-1], shapes), recipe.language.images)
    curve = learn_language(clip, pictures, recipe.language, recipe.seed)
    log.write_text("step,loss\n" + "".join(f"{i},{v:.4f}\n" for i, v in enumerate(curve, start=1)))


def _batches(count: int, recipe: LanguageRecipe, seed: int) -> Iterator[Sequence[int]]:
    """``recipe.steps`` batches, each epoch in its own order."""
    per_epoch = count // recipe.batch_size
    for step in range(recipe.steps):
        epoch, number = divmod(step, per_epoch)
        order = np.random.default_rng([seed, 3, epoch]).permutation(count)
        yield order[number * recipe.batch_size : (number + 1) * recipe.batch_size].tolist()
