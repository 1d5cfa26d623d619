"""The twin of :mod:`anomalyclip.scoring` on NumPy arrays, without torch: same names, same numbers but for rounding.

It stands on the way of the light install, where OpenCV resizes and smooths a map in a millisecond.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.settings.scoring import TAU, Smoothed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

_ABNORMAL = 1


def cosines(features: Floats, text_features: Floats) -> Floats:
    """Cosine similarities (..., 2) to [normal, abnormal].

    Args:
        features: (B, ..., E), any scale.
        text_features: (2, E), L2-normalised; or a pair per image, (B, 2, E), where prompts name the object.
    """
    length = np.sqrt(np.einsum("...e,...e->...", features, features))[..., None]
    if text_features.ndim == 2:
        products = features @ text_features.T
    else:
        products = np.einsum("b...e,bke->b...k", features, text_features)
    return np.asarray(products / np.maximum(length, 1e-12), np.float32)


def similarity(features: Floats, text_features: Floats, tau: float = TAU) -> Floats:
    """Probabilities (..., 2) of [normal, abnormal]: softmax over :func:`cosines` / tau."""
    logits = cosines(features, text_features) / np.float32(tau)
    likeness = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(likeness / likeness.sum(axis=-1, keepdims=True), np.float32)


def image_score(image_features: Floats, text_features: Floats, tau: float = TAU) -> Floats:
    """Image scores (B,) in [0, 1] of global features (B, E)."""
    return similarity(image_features, text_features, tau)[..., _ABNORMAL]


def with_map_peak(image_scores: Floats, anomaly_maps: Floats, weight: float, share: float = 0.0) -> Floats:
    """Image scores (B,) in which the peak of the maps (B, H, W) has its share: (1 - w) score + w peak."""
    if weight == 0:
        return image_scores
    peaks = map_peak(anomaly_maps.reshape(len(anomaly_maps), -1), share)
    return np.asarray((1 - weight) * image_scores + weight * peaks, np.float32)


def map_peak(pixels: Floats, share: float = 0.0) -> Floats:
    """Peaks (...,) of pixels (..., P): the mean of the hottest ``share`` of them, 0 for the hottest one alone."""
    count = hottest_count(pixels.shape[-1], share)
    if count == 1:
        return np.asarray(pixels.max(axis=-1))
    hottest = np.partition(pixels, pixels.shape[-1] - count, axis=-1)[..., -count:]
    return np.asarray(hottest.mean(axis=-1), np.float32)


def hottest_count(pixels: int, share: float) -> int:
    """How many pixels are the hottest ``share`` of ``pixels``: the nearest whole number, at least 1.

    >>> hottest_count(1000, 0), hottest_count(1000, 0.05), hottest_count(1000, 1)
    (1, 50, 1000)
    """
    return max(1, int(share * pixels + 0.5))


def on_grid(patches: Floats, grid: tuple[int, int] | None = None) -> Floats:
    """Patch values (B, N) as maps (B, h, w) on ``grid`` = (h, w); None is a square.

    Raises :class:`ConfigError` where N patches do not fill it.
    """
    B, N = patches.shape
    rows, columns = grid or (math.isqrt(N), math.isqrt(N))
    if rows * columns != N:
        what = "a square grid; give square images" if grid is None else f"a grid of {rows} x {columns}"
        raise ConfigError(f"{N} patches do not form {what}")
    return patches.reshape(B, rows, columns)


def upsample(maps: Floats, size: int | tuple[int, int]) -> Floats:
    """Bilinear, half-pixel centres, from (B, h, w) to (B, size, size), or to ``size`` = (H, W)."""
    import cv2

    height, width = (size, size) if isinstance(size, int) else size
    out = np.empty((len(maps), height, width), np.float32)
    for index, one in enumerate(maps):
        out[index] = cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR)
    return out


def anomaly_map(
    patch_features: Iterable[Floats],
    text_features: Floats | Sequence[Floats],
    size: int | tuple[int, int],
    *,
    tau: float = TAU,
    sigma: float = 4.0,
    grid: tuple[int, int] | None = None,
    smoothed: Smoothed = "probability",
) -> Floats:
    """Anomaly maps (B, H, W) in [0, 1] of patch features (B, N, E) per layer, as ``scoring.anomaly_map`` gives them."""
    found = list(patch_features)
    pairs = [text_features] * len(found) if isinstance(text_features, np.ndarray) else text_features
    value = log_odds if smoothed == "log-odds" else _abnormal
    layers = [value(features, pair, tau) for features, pair in zip(found, pairs, strict=True)]
    if not layers:
        raise ConfigError("an anomaly map needs the patch features of at least one layer")
    mean = np.stack(layers).mean(axis=0)
    maps = gaussian_filter(upsample(on_grid(mean, grid), size), sigma)
    return logistic(maps) if smoothed == "log-odds" else maps


def _abnormal(features: Floats, text_features: Floats, tau: float) -> Floats:
    return similarity(features, text_features, tau)[..., _ABNORMAL]


def log_odds(features: Floats, text_features: Floats, tau: float = TAU) -> Floats:
    """ln(p / (1 - p)) (...,) of the abnormal probability: the difference of :func:`cosines` over tau."""
    both = cosines(features, text_features)
    return np.asarray((both[..., _ABNORMAL] - both[..., 1 - _ABNORMAL]) / np.float32(tau), np.float32)


def logistic(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-x)), which neither overflows nor rounds small probabilities to 0."""
    tail = np.exp(-np.abs(log_odds))
    # The larger of the tail and of 1 where the sign is right: twice as fast as choosing between them.
    return np.asarray(np.maximum(tail, log_odds >= 0) / (1 + tail), np.float32)


def gaussian_kernel(sigma: float, truncate: float = 4.0) -> NDArray[np.float64]:
    """The normalised 1-D kernel SciPy uses: radius int(truncate * sigma + 0.5)."""
    radius = int(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def gaussian_filter(maps: Floats, sigma: float) -> Floats:
    """Separable Gaussian over the last two axes of (B, H, W), equal to ``scipy.ndimage.gaussian_filter`` (reflect).

    ``sigma`` in pixels; 0 returns the maps unchanged.
    """
    if sigma < 0:
        raise ConfigError(f"sigma must be 0 or more pixels, got {sigma}")
    if sigma == 0:
        return maps
    import cv2

    kernel = gaussian_kernel(sigma).astype(np.float32)
    out = np.empty(maps.shape, np.float32)
    for index, one in enumerate(maps):
        # BORDER_REFLECT repeats the edge pixel, as SciPy's "reflect" does, and reflects again where a map is small.
        out[index] = cv2.sepFilter2D(one, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    return out
