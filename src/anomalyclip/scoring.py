"""From features and the two text embeddings to image scores and anomaly maps (METHOD section 5). Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.errors import ConfigError
from anomalyclip.scoring_arrays import hottest_count
from anomalyclip.settings.scoring import TAU as TAU
from anomalyclip.settings.scoring import Smoothed

ABNORMAL = 1
"""Index of the abnormal embedding; 0 is normal."""


def cosines(features: Tensor, text_features: Tensor) -> Tensor:
    """Cosine similarities (..., 2) to [normal, abnormal].

    Args:
        features: (B, ..., E), any scale.
        text_features: (2, E), L2-normalised; or a pair per image, (B, 2, E), where prompts name the object.
    """
    unit, text = F.normalize(features, dim=-1), text_features.to(features.dtype)
    return unit @ text.T if text.dim() == 2 else torch.einsum("b...e,bke->b...k", unit, text)


def similarity(features: Tensor, text_features: Tensor, tau: float = TAU) -> Tensor:
    """Probabilities (..., 2) of [normal, abnormal]: softmax over :func:`cosines` / tau."""
    return (cosines(features, text_features) / tau).softmax(dim=-1)


def image_score(image_features: Tensor, text_features: Tensor, tau: float = TAU) -> Tensor:
    """Image scores (B,) in [0, 1] of global features (B, E)."""
    return similarity(image_features, text_features, tau)[..., ABNORMAL]


def with_map_peak(image_scores: Tensor, anomaly_maps: Tensor, weight: float, share: float = 0.0) -> Tensor:
    """Image scores (B,) in which the peak of the maps (B, H, W) has its share: (1 - w) score + w peak.

    The paper's score is weight 0. A class token sees the whole, a small defect shows in the map first. ``share``: see
    :func:`map_peak`.
    """
    if weight == 0:
        return image_scores
    return (1 - weight) * image_scores + weight * map_peak(anomaly_maps, share)


def map_peak(anomaly_maps: Tensor, share: float = 0.0) -> Tensor:
    """Peaks (B,) of maps (B, H, W): the mean of the hottest ``share`` of their pixels, 0 for the hottest one alone.

    A share of 1 is the map's mean. One pixel is a defect of one pixel; a share asks that a defect has some size.
    """
    pixels = anomaly_maps.flatten(1)
    count = hottest_count(pixels.shape[1], share)
    return pixels.amax(dim=1) if count == 1 else pixels.topk(count, dim=1, sorted=False).values.mean(dim=1)


def similarity_map(patch_features: Tensor, text_features: Tensor, size: int, tau: float = TAU) -> Tensor:
    """Per-pixel probabilities (B, 2, size, size) of patch features (B, N, E) on a square grid, upsampled bilinearly."""
    return upsample(on_grid(similarity(patch_features, text_features, tau)), size)


def on_grid(patches: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
    """Patch values (B, N, C) as maps (B, C, h, w) on ``grid`` = (h, w); None is a square.

    Raises :class:`ConfigError` where N patches do not fill it.
    """
    B, N, C = patches.shape
    rows, columns = grid or (math.isqrt(N), math.isqrt(N))
    if rows * columns != N:
        what = "a square grid; give square images" if grid is None else f"a grid of {rows} x {columns}"
        raise ConfigError(f"{N} patches do not form {what}")
    return patches.transpose(1, 2).reshape(B, C, rows, columns)


def upsample(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear, half-pixel centres (align_corners=False), to (B, C, size, size), or to ``size`` = (H, W)."""
    shape = (size, size) if isinstance(size, int) else size
    return F.interpolate(maps, size=shape, mode="bilinear", align_corners=False)


def anomaly_map(
    patch_features: Iterable[Tensor],
    text_features: Tensor | Sequence[Tensor],
    size: int | tuple[int, int],
    *,
    tau: float = TAU,
    sigma: float = 4.0,
    grid: tuple[int, int] | None = None,
    smoothed: Smoothed = "probability",
) -> Tensor:
    """Anomaly maps (B, size, size) in [0, 1]: mean over layers of (S_abnormal + 1 - S_normal) / 2, then a Gaussian.

    ``smoothed`` "log-odds" does both to ln(S_abnormal / S_normal) and makes a probability of the outcome: of two
    neighbours the surer one then decides about what lies between them.

    ``size`` may be (H, W), and ``grid`` (rows, columns) says how the patches of an image that is not square lie.
    ``text_features`` is one pair for all layers, see :func:`cosines`, or a list with one for each.

    The reference sums over layers; the mean keeps one scale whatever the number of layers.
    Upsampling and averaging are linear, so they are exchanged: one upsampling in place of one per layer.
    """
    # S_abnormal and S_normal sum to 1, so that the mean is S_abnormal; written so, a sure model's tiny values keep the
    # digits (and the order) that 1 - S_normal would round away.
    found = list(patch_features)
    pairs = [text_features] * len(found) if isinstance(text_features, Tensor) else text_features
    value = log_odds if smoothed == "log-odds" else _abnormal
    layers = [value(features, pair, tau) for features, pair in zip(found, pairs, strict=True)]
    if not layers:
        raise ConfigError("an anomaly map needs the patch features of at least one layer")
    mean = torch.stack(layers).mean(dim=0)
    maps = gaussian_filter(upsample(on_grid(mean.unsqueeze(-1), grid), size).squeeze(1), sigma)
    return maps.sigmoid() if smoothed == "log-odds" else maps


def _abnormal(features: Tensor, text_features: Tensor, tau: float) -> Tensor:
    return similarity(features, text_features, tau)[..., ABNORMAL]


def log_odds(features: Tensor, text_features: Tensor, tau: float = TAU) -> Tensor:
    """ln(p / (1 - p)) (...,) of the abnormal probability: the difference of :func:`cosines` over tau."""
    both = cosines(features, text_features)
    return (both[..., ABNORMAL] - both[..., 1 - ABNORMAL]) / tau


def gaussian_kernel(sigma: float, truncate: float = 4.0) -> Tensor:
    """The normalised 1-D kernel SciPy uses: radius int(truncate * sigma + 0.5), float64."""
    radius = int(truncate * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def gaussian_filter(maps: Tensor, sigma: float) -> Tensor:
    """Separable Gaussian over the last two axes of (B, H, W), equal to ``scipy.ndimage.gaussian_filter`` (reflect).

    ``sigma`` in pixels; 0 returns the maps unchanged.
    """
    if sigma < 0:
        raise ConfigError(f"sigma must be 0 or more pixels, got {sigma}")
    if sigma == 0:
        return maps
    kernel = gaussian_kernel(sigma).to(maps.device, maps.dtype)
    radius = len(kernel) // 2
    x = maps.unsqueeze(1)  # (B, 1, H, W)
    x = F.conv2d(_reflect(x, radius, axis=2), kernel.view(1, 1, -1, 1))
    x = F.conv2d(_reflect(x, radius, axis=3), kernel.view(1, 1, 1, -1))
    return x.squeeze(1)


def _reflect(x: Tensor, radius: int, axis: int) -> Tensor:
    """SciPy's ``reflect`` (edge pixel repeated: d c b a | a b c d | d c b a), for any radius."""
    size = x.shape[axis]
    index = torch.arange(-radius, size + radius, device=x.device) % (2 * size)
    index = torch.where(index < size, index, 2 * size - 1 - index)
    return x.index_select(axis, index)
