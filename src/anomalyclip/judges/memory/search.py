"""Nearest neighbours of patch features in a bank, block by block on BLAS.

|q - m|^2 = |q|^2 + |m|^2 - 2 q.m: one matrix product a block, never more than `BLOCK` columns of the distance matrix in
memory. The expansion loses digits where two vectors are nearly equal (up to 3e-4 in the distance of unit vectors), so
the distance to the neighbour that was found is computed again from the difference: a query that lies in the bank has
distance 0, or that of a row which rounding cannot tell from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 512
"""Rows of the bank at a time: with 400 queries the block of products is 0.8 MB, which stays in the cache."""


class Neighbours(NamedTuple):
    """The k nearest rows of a bank for Q queries: squared Euclidean distances (Q, k), ascending, and their rows."""

    squared: NDArray[np.float32]
    rows: NDArray[np.intp]


def nearest(
    queries: NDArray[np.float32], bank: NDArray[np.float32], count: int = 1, *, equal_norms: bool = False
) -> Neighbours:
    """The `count` nearest rows of the bank (M, D) for queries (Q, D), or all M where there are fewer.

    equal_norms: the rows of the bank are unit vectors, so that the largest product is the nearest: a pass less.

    Raises ConfigError for an empty bank, another width, or a count below 1.

    >>> found = nearest(np.float32([[1, 0]]), np.float32([[0, 1], [1, 0.5]]))
    >>> found.squared.tolist(), found.rows.tolist()
    ([[0.25]], [[1]])
    """
    if count < 1:
        raise ConfigError(f"the number of neighbours must be 1 or more, got {count}")
    if not len(bank):
        raise ConfigError("the memory is empty: nothing to compare with")
    if queries.shape[1] != bank.shape[1]:
        raise ConfigError(f"features of width {queries.shape[1]} cannot be compared with a memory of {bank.shape[1]}")
    rows = _nearest_rows(queries, bank, min(count, len(bank)), equal_norms)
    squared = np.empty(rows.shape, np.float32)
    for column in range(rows.shape[1]):
        difference = queries - bank[rows[:, column]]
        squared[:, column] = np.einsum("qd,qd->q", difference, difference)
    order = np.argsort(squared, axis=1, kind="stable")
    return Neighbours(np.take_along_axis(squared, order, 1), np.take_along_axis(rows, order, 1))


def _nearest_rows(
    queries: NDArray[np.float32], bank: NDArray[np.float32], count: int, equal_norms: bool
) -> NDArray[np.intp]:
    """The rows (Q, count) with the smallest |m|^2 / 2 - q.m, in no order."""
    best = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.intp)
    every = np.arange(len(queries))
    for start in range(0, len(bank), BLOCK):
        block = bank[start : start + BLOCK]
        near = queries @ block.T
        if not equal_norms:
            near -= 0.5 * np.einsum("md,md->m", block, block)
        if count == 1:
            found = near.argmax(axis=1)[:, None]
        else:
            kept = min(count, len(block))
            found = np.argpartition(near, len(block) - kept, axis=1)[:, len(block) - kept :]
        best = np.concatenate([best, near[every[:, None], found]], axis=1)
        rows = np.concatenate([rows, found + start], axis=1)
        if best.shape[1] > count:
            keep = np.argpartition(best, best.shape[1] - count, axis=1)[:, best.shape[1] - count :]
            best, rows = best[every[:, None], keep], rows[every[:, None], keep]
    return rows


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (..., D) scaled to length 1; a zero vector stays zero.

    For unit vectors half the squared distance is 1 - cos, so that one search serves both distances.
    """
    length = np.sqrt(np.einsum("...d,...d->...", features, features))[..., None]
    length[length == 0] = 1  # a division with holes would take several times as long
    out: NDArray[np.float32] = features / length
    return out
