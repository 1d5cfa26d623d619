"""Subsets of a memory that still cover it: PatchCore's greedy coreset (arXiv 2106.08265, algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def greedy_coreset(
    features: NDArray[np.float32], count: int, *, starts: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Rows (count,) of features (M, D) so that every other row lies near one of them, in the order of choice.

    Always the row farthest from all chosen so far. Without `starts` the first is the row with the largest norm of its
    distances to all others (the official code's exact sampler: M^2 distances); with `starts`, rows from which the mean
    distance is the first measure (its approximate sampler: M times their number).

    Raises ConfigError for a count outside 1..M.
    """
    if not 1 <= count <= len(features):
        raise ConfigError(f"a coreset of {count} of {len(features)} features: expected 1 to {len(features)}")
    squares = np.einsum("md,md->m", features, features, dtype=np.float32)
    far = _norms(features, squares) if starts is None else _mean_distance(features, squares, starts)
    chosen = np.empty(count, np.intp)
    for index in range(count):
        chosen[index] = row = int(far.argmax())
        np.minimum(far, _distances(features, squares, row), out=far)
    return chosen


def _distances(features: NDArray[np.float32], squares: NDArray[np.float32], row: int) -> NDArray[np.float32]:
    squared = squares + squares[row] - 2 * (features @ features[row])
    squared[row] = 0
    out: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0, out=squared))
    return out


def _norms(features: NDArray[np.float32], squares: NDArray[np.float32]) -> NDArray[np.float32]:
    """|row of the distance matrix| = sqrt(sum of squared distances), in closed form: no matrix at all."""
    total = len(features) * squares + squares.sum() - 2 * (features @ features.sum(axis=0))
    out: NDArray[np.float32] = np.sqrt(np.maximum(total, 0))
    return out


def _mean_distance(
    features: NDArray[np.float32], squares: NDArray[np.float32], starts: NDArray[np.intp]
) -> NDArray[np.float32]:
    total = np.zeros(len(features), np.float32)
    for row in starts:
        total += _distances(features, squares, int(row))
    out: NDArray[np.float32] = total / np.float32(len(starts))
    return out
