"""The glocal loss of AnomalyCLIP (METHOD section 6): cross entropy on the image, focal and dice on the maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.scoring import ABNORMAL, TAU, cosines, similarity_map

_SMOOTH = 1e-5  # the reference's clamp of the one-hot target and offset of pt


def focal_loss(probabilities: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss on probabilities, -(1 - pt)^gamma log pt, mean over pixels.

    Args:
        probabilities: (B, 2, H, W), [normal, abnormal], summing to 1.
        target: (B, H, W) with 0 and 1.

    The reference clamps the one-hot target to [1e-5, 1 - 1e-5], so pt = p_true (1 - 1e-5) + p_other 1e-5 + 1e-5;
    with two classes that needs no one-hot tensor.
    """
    abnormal = target.to(probabilities.dtype)
    true = torch.lerp(probabilities[:, 1 - ABNORMAL], probabilities[:, ABNORMAL], abnormal)
    other = probabilities.sum(dim=1) - true
    pt = true * (1 - _SMOOTH) + other * _SMOOTH + _SMOOTH
    return (-((1 - pt) ** gamma) * pt.log()).mean()


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """Soft dice of (B, H, W), smooth 1, mean over samples: 1 - (2 sum(p g) + 1) / (sum p + sum g + 1)."""
    p = probability.flatten(1)
    g = target.to(p.dtype).flatten(1)
    overlap = (p * g).sum(dim=1)
    return (1 - (2 * overlap + 1) / (p.sum(dim=1) + g.sum(dim=1) + 1)).mean()


class GlocalLoss(NamedTuple):
    """The loss and its parts: ``total = image + 4 * pixel``; focal and dice terms per layer, in the order given."""

    total: Tensor
    image: Tensor
    pixel: Tensor
    focal: tuple[Tensor, ...]
    dice_abnormal: tuple[Tensor, ...]
    dice_normal: tuple[Tensor, ...]


def image_loss(image_features: Tensor, labels: Tensor, text_features: Tensor, tau: float = TAU) -> Tensor:
    """Cross entropy of the global features (B, E) against labels (B,) in {0, 1}."""
    return F.cross_entropy(cosines(image_features, text_features) / tau, labels)


def glocal_loss(
    image_features: Tensor,
    patch_features: Sequence[Tensor],
    text_features: Tensor,
    labels: Tensor,
    masks: Tensor,
    *,
    tau: float = TAU,
    pixel_weight: float = 4.0,
    local: Sequence[Tensor] | None = None,
) -> GlocalLoss:
    """Image cross entropy plus ``pixel_weight`` times the sum over layers of focal + dice(abnormal) + dice(normal).

    Args:
        image_features: (B, E). patch_features: one (B, N, E) per layer. text_features: (2, E), L2-normalised, or a
            pair per image, (B, 2, E).
        labels: (B,) int64. masks: (B, S, S) with 0 and 1; maps are upsampled to S x S.
        local: a pair (2, E) for each layer, for its patches in place of ``text_features``; L2-normalised.
    """
    global_term = image_loss(image_features, labels, text_features, tau)
    focal, dice_abnormal, dice_normal = [], [], []
    pairs = [text_features] * len(patch_features) if local is None else local
    for features, pair in zip(patch_features, pairs, strict=True):
        maps = similarity_map(features, pair, masks.shape[-1], tau)
        focal.append(focal_loss(maps, masks))
        dice_abnormal.append(dice_loss(maps[:, ABNORMAL], masks))
        dice_normal.append(dice_loss(maps[:, 1 - ABNORMAL], 1 - masks))
    pixel = torch.stack([*focal, *dice_abnormal, *dice_normal]).sum() if focal else global_term.new_zeros(())
    total = global_term + pixel_weight * pixel
    return GlocalLoss(total, global_term, pixel, tuple(focal), tuple(dice_abnormal), tuple(dice_normal))
