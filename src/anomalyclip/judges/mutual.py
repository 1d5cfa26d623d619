"""Mutual scoring: a batch of unlabelled pictures says itself which patches are rare.

MuSc, ICLR 2024, arXiv 2401.16753.

Two forms. :func:`mutual_scores` and :func:`rscin` ARE the reference's computation, to compare with its figures.
:func:`mutual_scores_robust` mends what breaks on real folders: few pictures, twins, and a fault that repeats itself
(METHOD_MEMORY sections 2 and 4). All of it is NumPy: pictures in one array, patches row by row without a class token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.mutual_pairs import near_twins, nearest_in_others

Array = NDArray[np.float32]

NEIGHBOURHOODS = (1, 3, 5)
"""Sides in patches of the neighbourhoods that are averaged (paper: r)."""
SHARE = 0.3
"""Share of the other pictures in which a normal patch is expected to find its like (paper: the interval's end)."""
SMALLEST_BATCH = 5
"""Below, the reference's interval holds no picture at all, and its scores are NaN."""
_EPS = 1e-5


def lnamd(tokens: Array, r: int) -> Array:
    """Local neighbourhood aggregation: layer norm over a whole picture, then the mean of r x r patches.

    tokens: (n, N, D), N a square number; r: odd. Returns (n, N, D) float32, not yet L2-normalised. The norm is over all
    N x D numbers of a picture together (eps 1e-5, no affine part); beyond the border zeros count.

    Raises:
        InputError: N is no square, or the shape is not (n, N, D).
        ConfigError: r is even or below 1.
    """
    n, side, width = _grid(tokens)
    if r < 1 or r % 2 == 0:
        raise ConfigError(f"a neighbourhood of {r} patches has no centre; give odd numbers such as 1, 3, 5")
    values = tokens.astype(np.float32, copy=False)
    mean = values.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    variance = values.var(axis=(1, 2), keepdims=True, dtype=np.float64)
    normed: Array = ((values - mean) / np.sqrt(variance + _EPS)).astype(np.float32)
    if r == 1:
        return normed
    grid = normed.reshape(n, side, side, width)
    for axis in (1, 2):
        grid = _box_sum(grid, r, axis)
    pooled: Array = (grid / np.float32(r * r)).reshape(n, side * side, width)
    return pooled


def mutual_scores(
    tokens: Mapping[int, Array], neighbourhoods: Sequence[int] = NEIGHBOURHOODS, share: float = SHARE
) -> NDArray[np.float64]:
    """The reference's patch scores (n, N): how far the nearest patches of the most alike other pictures are.

    tokens: {layer: (n, N, D)}, original-path tokens as the blocks leave them. Per layer and neighbourhood, a patch has
    one distance to each other picture (to its nearest patch there, Euclidean on unit vectors); the score is the mean of
    the smallest ``int(share * (n - 1))`` of them, averaged over layers and neighbourhoods with equal weights.

    Raises:
        InputError: fewer than 5 pictures, or arrays that do not belong together.
        ConfigError: ``share`` outside 0..1 or so small that no picture is left, or an even neighbourhood.
    """
    n, _ = _check(tokens, share)
    if n < SMALLEST_BATCH:
        raise InputError(
            f"mutual scoring needs at least {SMALLEST_BATCH} pictures, got {n}: with fewer the share of the others "
            "that it averages is empty. Add pictures, or use mutual_scores_robust"
        )
    count = int(share * (n - 1))
    if count < 1:
        raise ConfigError(f"share {share} of {n - 1} other pictures is none; give at least {1 / (n - 1):.3f}")
    return _mean_over(tokens, neighbourhoods, lambda found: _interval_mean(found, 0, count), aligned=None)


def rscin(scores: NDArray[np.floating], class_features: Array, windows: Sequence[int]) -> NDArray[np.float64]:
    """The reference's re-scoring (n,) of picture scores (n,) by the pictures whose class features are alike.

    class_features: (n, E), L2-normalised. windows: how many most similar pictures, itself among them, are averaged by
    similarity; the result is the mean over the windows. The scores are stretched to 0..1 over the batch first, so that
    results of two batches cannot be compared.

    Raises:
        InputError: shapes that do not belong together, or scores that are all equal.
        ConfigError: no window, or one that is larger than the batch.
    """
    n = len(scores)
    if scores.ndim != 1 or class_features.ndim != 2 or len(class_features) != n:
        raise InputError(f"expected scores (n,) and class features (n, E), got {scores.shape}, {class_features.shape}")
    if not windows or min(windows) < 1 or max(windows) > n:
        raise ConfigError(f"windows {list(windows)} must lie in 1..{n}, the number of pictures")
    low, high = float(scores.min()), float(scores.max())
    if not high > low:
        raise InputError("all scores are equal (or not numbers): they cannot be stretched to 0..1")
    stretched = (scores.astype(np.float64) - low) / (high - low)
    similar = class_features.astype(np.float64) @ class_features.astype(np.float64).T
    order = np.argsort(-similar, axis=1, kind="stable")
    rescored = np.zeros(n)
    for window in windows:
        chosen = order[:, :window]
        weights = np.take_along_axis(similar, chosen, axis=1)
        rescored += (weights * stretched[chosen]).sum(axis=1) / weights.sum(axis=1)
    return rescored / len(windows)


def mutual_scores_robust(
    tokens: Mapping[int, Array],
    neighbourhoods: Sequence[int] = NEIGHBOURHOODS,
    share: float = SHARE,
    *,
    aligned: int | None = None,
) -> NDArray[np.float64]:
    """Patch scores (n, N) for folders as they are; same scale as :func:`mutual_scores`, distances in 0..2.

    What differs from the reference, and why:

    - The interval is ``[share, 2 * share)`` of the others in place of ``[0, share)``: a fault that repeats itself in up
      to ``share`` of the pictures finds its like only below the interval and stays odd. The reference calls a fault
      that a third of the batch has the most normal thing in it.
    - Near twins are one picture: they say nothing about each other, and all together count once for the others.
    - The interval holds at least one picture, so that two different pictures suffice.
    - No stretching over the batch: a threshold set on one batch means the same on the next one like it.

    aligned: search within so many patches of the same place only, for parts that always lie alike: it finds swapped and
    missing parts that any-place search cannot.

    Raises:
        InputError: fewer than two pictures that differ, or arrays that do not belong together.
        ConfigError: ``share`` outside 0..1, an even neighbourhood, or ``aligned`` below 0.
    """
    n, _ = _check(tokens, share)
    if aligned is not None and aligned < 0:
        raise ConfigError(f"aligned must be 0 or more patches, got {aligned}")
    groups = near_twins(next(iter(tokens.values()))) if n else np.empty(0, np.intp)
    if len(np.unique(groups)) < 2:
        raise InputError(f"mutual scoring needs at least two different pictures, got {n} that are all alike")
    return _mean_over(tokens, neighbourhoods, lambda found: _by_group(found, groups, share), aligned=aligned)


def _mean_over(
    tokens: Mapping[int, Array],
    neighbourhoods: Sequence[int],
    reduce: Callable[[Array], NDArray[np.float64]],
    *,
    aligned: int | None,
) -> NDArray[np.float64]:
    """The mean over layers and neighbourhoods of what ``reduce`` makes of the distances (n, N, n)."""
    if not neighbourhoods:
        raise ConfigError("neighbourhoods is empty; give odd sides in patches such as 1, 3, 5")
    total = np.zeros(next(iter(tokens.values())).shape[:2])
    for layer in tokens:
        for r in neighbourhoods:
            features = lnamd(tokens[layer], r)
            norms = np.linalg.norm(features, axis=2, keepdims=True)
            features /= np.maximum(norms, np.finfo(np.float32).tiny)
            total += reduce(nearest_in_others(features, aligned=aligned))
    return total / (len(tokens) * len(neighbourhoods))


def _interval_mean(found: Array, first: int, end: int) -> NDArray[np.float64]:
    """found: (n, N, n), distances to each picture, infinite to itself. Mean of the sorted ones from first to end."""
    nearest = np.partition(found, [first, end - 1], axis=2) if end < found.shape[2] else found
    chosen = np.sort(nearest[:, :, :end], axis=2)[:, :, first:]
    mean: NDArray[np.float64] = chosen.mean(axis=2, dtype=np.float64)
    return mean


def _by_group(found: Array, groups: NDArray[np.intp], share: float) -> NDArray[np.float64]:
    """Mean over the interval of the distances to groups of twins, each by its nearest member, one's own left out."""
    names, inverse = np.unique(groups, return_inverse=True)
    others = len(names) - 1
    first = min(int(share * others), others - 1)
    end = min(max(first + 1, math.ceil(2 * share * others)), others)
    per_group = np.full((*found.shape[:2], len(names)), np.inf, np.float32)
    for picture, group in enumerate(inverse):
        np.minimum(per_group[:, :, group], found[:, :, picture], out=per_group[:, :, group])
    for picture, group in enumerate(inverse):
        per_group[picture, :, group] = np.inf
    return _interval_mean(per_group, first, end)


def _box_sum(grid: Array, r: int, axis: int) -> Array:
    """Sums of r neighbours along an axis, zeros beyond the border."""
    half = r // 2
    padded = np.pad(grid, [(half, half) if each == axis else (0, 0) for each in range(grid.ndim)])
    length = grid.shape[axis]
    total = np.zeros_like(grid)
    for shift in range(r):
        total += padded[(slice(None),) * axis + (slice(shift, shift + length),)]
    return total


def _grid(tokens: Array) -> tuple[int, int, int]:
    if tokens.ndim != 3:
        raise InputError(f"tokens must be (pictures, patches, width), got {tokens.shape}")
    n, patches, width = tokens.shape
    side = math.isqrt(patches)
    if side * side != patches or not patches:
        raise InputError(f"{patches} patches are no square grid; leave the class token out")
    return n, side, width


def _check(tokens: Mapping[int, Array], share: float) -> tuple[int, int]:
    if not tokens:
        raise InputError("no layer was given; tokens is {layer: (pictures, patches, width)}")
    shapes = {layer: _grid(values)[:2] for layer, values in tokens.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(f"layers disagree in pictures or patches: {shapes}")
    if not 0 < share <= 1:
        raise ConfigError(f"share must lie above 0 and up to 1, got {share}")
    if not all(np.isfinite(values).all() for values in tokens.values()):
        raise InputError("tokens hold NaN or infinity; leave the pictures out that made them")
    return next(iter(shapes.values()))
