"""What the embedded CLIP is trained for: words for images and regions, and the two states on class and patches."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.losses import dice_loss, image_loss
from anomalyclip.pretraining.phrases import state_phrases
from anomalyclip.pretraining.recipe import LossWeights
from anomalyclip.pretraining.shards import Batch
from anomalyclip.scoring import ABNORMAL, TAU, on_grid, upsample

_COVER = 0.3  # share of a cell that a defect must cover to count
_MAX_WEIGHT = 10.0  # of a damaged pixel, however rare they are


class Terms(NamedTuple):
    """The weighted total and its parts, each a scalar."""

    total: Tensor
    caption: Tensor
    region: Tensor
    image: Tensor
    pixel: Tensor
    top: Tensor
    state: Tensor
    calm: Tensor


def pretraining_loss(
    clip: CLIP,
    tokenizer: Tokenizer,
    batch: Batch,
    rng: np.random.Generator,
    *,
    weights: LossWeights,
    phrases: int,
    text: bool = True,
) -> Terms:
    """All terms of one batch; those of the text tower (caption, region, state) only with ``text``.

    - caption: CLIP's contrastive loss, with the flawless caption of each damaged image as a hard negative;
    - region: local (V-V) features pooled over each defect against the defects' words;
    - state: sentences for the two states point at two fixed, orthogonal directions. A young text tower puts both
      states nearly on one point; fixed anchors give the image tower a target that is far apart and stands still from
      the first step;
    - image: cross entropy of the class token against the two anchors;
    - pixel: balanced cross entropy and dice over the whole batch. The method's own pixel loss (dice per image) has a
      flat optimum where everything is normal, and an encoder that knows nothing yet falls into it;
    - top: the hottest patches of a normal image must stay cool, those of a damaged one must not;
    - calm: normal images of all families must be equally cool: their spread is what ruins ranking between images.
    """
    image, patches = encode(clip, batch)
    states = anchors(clip.config.embed_dim, image.device)
    logits = F.normalize(patches, dim=-1) @ states.T / TAU  # (B, N, 2)
    contrast = on_grid((logits[..., ABNORMAL] - logits[..., 1 - ABNORMAL]).unsqueeze(-1))  # (B, 1, h, w)
    nothing = image.new_zeros(())
    caption, region, state = (
        _text_terms(clip, tokenizer, batch, image, patches, states, *state_phrases(rng, phrases, batch.subjects))
        if text
        else (nothing, nothing, nothing)
    )
    parts = Terms(
        total=nothing,
        caption=caption,
        region=region,
        image=image_loss(image, batch.labels, states),
        pixel=_pixel_loss(contrast, batch.regions),
        top=_top_loss(contrast, batch.labels),
        state=state,
        calm=_calm_loss(contrast, batch.labels),
    )
    total = sum(getattr(weights, field.name) * getattr(parts, field.name) for field in fields(weights))
    return parts._replace(total=total)


def _text_terms(
    clip: CLIP,
    tokenizer: Tokenizer,
    batch: Batch,
    image: Tensor,
    patches: Tensor,
    states: Tensor,
    normal: list[str],
    abnormal: list[str],
) -> tuple[Tensor, Tensor, Tensor]:
    """The caption, region and state terms."""
    negatives = [text for text, label in zip(batch.normal_captions, batch.labels.tolist(), strict=True) if label]
    region_words = [caption for captions in batch.region_captions for caption in captions]
    groups = [batch.captions, negatives, region_words, normal, abnormal]
    texts = [text for group in groups for text in group]
    encoded = F.normalize(clip.encode_text(tokenizer.encode_batch(texts, truncate=True)), dim=-1)
    captions, hard, regions, t_normal, t_abnormal = torch.split(encoded, [len(group) for group in groups])
    scale = clip.logit_scale.exp().clamp(max=100.0)
    caption = contrastive(image, torch.cat([captions, hard]), batch.captions, batch.captions + negatives, scale)
    region = _region_loss(patches, batch, regions, region_words, scale)
    return caption, region, _state_loss(t_normal, t_abnormal, states)


def anchors(width: int, device: torch.device | None = None) -> Tensor:
    """The two directions (2, width), orthonormal, [normal, abnormal]: a fixed rotation-free choice, spread evenly."""
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], device=device).repeat(1, width // 2)
    return F.normalize(signs, dim=-1)


def _state_loss(normal: Tensor, abnormal: Tensor, states: Tensor) -> Tensor:
    """Distance of the sentences' features (K, E), normalised, from their anchor: mean of 1 - cosine."""
    return 1 - (normal @ states[1 - ABNORMAL]).mean() / 2 - (abnormal @ states[ABNORMAL]).mean() / 2


def encode(clip: CLIP, batch: Batch) -> tuple[Tensor, Tensor]:
    """Global (B, E) and last-layer patch features (B, N, E), from stem features."""
    visual = clip.visual
    last = clip.config.vision.layers
    tokens = visual.add_positions(*visual.stem.project(batch.features))
    out = visual.encode_tokens(tokens, layers=[last], dpam="vv", dpam_blocks=None, post_norm_class=False)
    return out.image, out.patches[last]


def contrastive(a: Tensor, b: Tensor, a_words: list[str], b_words: list[str], scale: Tensor) -> Tensor:
    """Symmetric InfoNCE, equal words sharing the target; ``b`` is normalised and may have rows without partner."""
    logits = scale * F.normalize(a, dim=-1) @ b.T
    same = torch.tensor([[float(x == y) for y in b_words] for x in a_words])
    rows = F.cross_entropy(logits, same / same.sum(dim=1, keepdim=True))
    partnered = same.sum(dim=0) > 0
    columns = same[:, partnered] / same[:, partnered].sum(dim=0)
    return (rows + F.cross_entropy(logits[:, partnered].T, columns.T)) / 2


def _region_loss(patches: Tensor, batch: Batch, words: Tensor, texts: list[str], scale: Tensor) -> Tensor:
    """Pooled local features of every defect against the words of all defects in the batch."""
    if len(texts) < 2:
        return patches.new_zeros(())
    return contrastive(pool_regions(patches, batch), words, texts, texts, scale)


def pool_regions(patches: Tensor, batch: Batch) -> Tensor:
    """Local features (B, N, E) averaged over every defect of the batch, in its order: (K, E)."""
    side = math.isqrt(patches.shape[1])
    pooled = [patches.new_empty(0, patches.shape[2])]
    for row, captions in enumerate(batch.region_captions):
        for index in range(1, len(captions) + 1):
            cover = F.adaptive_avg_pool2d((batch.regions[row] == index).float()[None, None], side).flatten()
            pooled.append((cover / cover.sum().clamp(min=1e-6)) @ patches[row][None])
    return torch.cat(pooled)


def _pixel_loss(contrast: Tensor, regions: Tensor) -> Tensor:
    """Balanced cross entropy plus batch dice of contrast logits (B, 1, h, w) against label maps (B, S, S)."""
    size = 2 * contrast.shape[-1]
    logits = upsample(contrast, size).squeeze(1)
    cover = F.interpolate((regions > 0).float().unsqueeze(1), size=(size, size), mode="area").squeeze(1)
    masks = (cover > _COVER).float()
    share = masks.mean().clamp(1e-4, 1 - 1e-4)
    weights = torch.where(masks > 0, (0.5 / share).clamp(max=_MAX_WEIGHT), 0.5 / (1 - share))
    entropy = F.binary_cross_entropy_with_logits(logits, masks, weight=weights)
    return entropy + dice_loss(logits.sigmoid().flatten()[None], masks.flatten()[None])


def _hottest(contrast: Tensor) -> Tensor:
    """Mean contrast of the hottest 1% of patches, at least four: one logit per image (B,)."""
    flat = contrast.flatten(1)
    return flat.topk(max(4, flat.shape[1] // 100), dim=1).values.mean(dim=1)


def _top_loss(contrast: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the hottest patches as an image's logit."""
    return F.binary_cross_entropy_with_logits(_hottest(contrast), labels.float())


def _calm_loss(contrast: Tensor, labels: Tensor) -> Tensor:
    """Variance of the hottest patches' logit over the normal images of the batch; 0 with fewer than two."""
    normal = _hottest(contrast)[labels == 0]
    return normal.var() if len(normal) > 1 else contrast.new_zeros(())
