"""Distances between the patches of every two pictures: one matrix product serves both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TWINS = 1e-3
"""Mean squared difference of two pictures' tokens, as a share of the tokens' own spread, below which they are twins:
the same photograph stored or compressed twice, not two photographs of one part."""


def nearest_in_others(features: Array, *, aligned: int | None = None) -> Array:
    """(n, N, n): of patch p of picture i, the Euclidean distance to its nearest patch of picture j; infinite for j = i.

    features: (n, N, D) float32 unit vectors. aligned: look within so many patches of p's own place only, None looks
    everywhere. Work: n (n - 1) / 2 products of (N, D) x (D, N). Memory: 4 n^2 N bytes, and 4 N^2 for a pair.
    """
    n, patches, _ = features.shape
    found = np.full((n, patches, n), np.inf, np.float32)
    barred = None if aligned is None else _too_far(patches, aligned)
    product = np.empty((patches, patches), np.float32)
    for i in range(n):
        for j in range(i + 1, n):
            np.matmul(features[i], features[j].T, out=product)
            if barred is not None:
                product[barred] = -np.inf
            found[i, :, j] = _distance(product.max(axis=1))
            found[j, :, i] = _distance(product.max(axis=0))
    return found


def near_twins(tokens: Array, tolerance: float = TWINS) -> NDArray[np.intp]:
    """(n,) the number of the first picture that each one is a twin of, its own where it has none.

    tokens: (n, N, D). Twins agree patch by patch, not only somewhere: mirrored or shifted copies are other pictures.
    """
    n = len(tokens)
    flat = tokens.reshape(n, -1).astype(np.float32, copy=False)
    centred = flat - flat.mean(axis=1, keepdims=True)
    power = np.einsum("ij,ij->i", centred, centred, dtype=np.float64)
    groups = np.arange(n)
    for i in range(n):
        for j in range(i):
            if groups[j] != j:
                continue
            difference = centred[i] - centred[j]
            if float(np.dot(difference, difference)) <= tolerance * max(power[i], power[j], np.finfo(float).tiny):
                groups[i] = j
                break
    return groups


def _distance(cosine: Array) -> Array:
    """|a - b| of unit vectors with this cosine."""
    return np.sqrt(np.maximum(2 - 2 * cosine, 0))


def _too_far(patches: int, radius: int) -> NDArray[np.bool_]:
    side = round(patches**0.5)
    rows, columns = np.divmod(np.arange(patches), side)
    apart = np.maximum(abs(rows[:, None] - rows[None]), abs(columns[:, None] - columns[None]))
    barred: NDArray[np.bool_] = apart > radius
    return barred
