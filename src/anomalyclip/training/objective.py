"""The glocal loss where pixel truth is known for some samples only (METHOD section 6)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from anomalyclip.features.encoding import Features
from anomalyclip.losses import GlocalLoss, glocal_loss
from anomalyclip.scoring import TAU
from anomalyclip.training.recipes import Level


def training_loss(
    features: Features,
    text_features: Tensor,
    labels: Tensor,
    masks: Tensor,
    known: Tensor,
    *,
    level: Level = "both",
    pixel_weight: float = 4.0,
    tau: float = TAU,
    local: Sequence[Tensor] | None = None,
) -> GlocalLoss:
    """The loss of one batch; with all masks known and level "both" exactly :func:`anomalyclip.losses.glocal_loss`.

    The image term is the mean over all samples, the pixel terms are means over the samples whose pixels are known.

    Args:
        features: image (B, E), patches (B, L, N, E). text_features: (2, E), L2-normalised,
            or a pair per image, (B, 2, E).
        labels: (B,) int64. masks: (B, S, S) of 0 and 1. known: (B,) bool.
        local: a pair for each of the L layers, see :func:`anomalyclip.losses.glocal_loss`.
        level: "image" leaves the pixel terms out, "pixel" the image term.
    """
    image, patches = features.image, features.patches
    with_pixels = level != "image" and bool(known.any())
    if with_pixels and not bool(known.all()):
        text = text_features if text_features.dim() == 2 else text_features[known]
        part = _glocal(image[known], patches[known], text, labels[known], masks[known], pixel_weight, tau, local)
        whole = glocal_loss(image, (), text_features, labels, masks, tau=tau)
        loss = part._replace(image=whole.image, total=whole.image + pixel_weight * part.pixel)
    else:
        used = patches if with_pixels else patches[:, :0]
        pairs = local if with_pixels else None
        loss = _glocal(image, used, text_features, labels, masks, pixel_weight, tau, pairs)
    return loss._replace(total=pixel_weight * loss.pixel) if level == "pixel" else loss


def _glocal(
    image: Tensor,
    patches: Tensor,
    text: Tensor,
    labels: Tensor,
    masks: Tensor,
    weight: float,
    tau: float,
    local: Sequence[Tensor] | None,
) -> GlocalLoss:
    layers, truth = patches.unbind(dim=1), masks.to(image.dtype)
    return glocal_loss(image, layers, text, labels, truth, tau=tau, pixel_weight=weight, local=local)
