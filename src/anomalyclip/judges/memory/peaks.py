"""From the distances of an image's patches to one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.search import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray


def top_count(patches: int, share: float = 0.01) -> int:
    """int(share * N) of N patches, at least one."""
    return max(1, int(share * patches))


def top_mean(distances: NDArray[np.floating], share: float = 0.01) -> NDArray[np.floating]:
    """The mean of the int(share * N) largest of (..., N), at least of one: AnomalyDINO's image score at 1%.

    >>> float(top_mean(np.float32([0, 1, 2, 3]), 0.5))
    2.5
    """
    count = top_count(distances.shape[-1], share)
    return np.asarray(np.partition(distances, -count, axis=-1)[..., -count:].mean(axis=-1))


def reweighted(
    features: NDArray[np.float32],
    bank: NDArray[np.float32],
    distances: NDArray[np.float32],
    rows: NDArray[np.intp],
    b: int,
) -> float:
    """PatchCore's image score of one image (equation 7 of arXiv 2106.08265): its peak, lower where the memory is dense.

    features (N, D), distances (N,) Euclidean to the nearest of the bank and its row, (N,). With p the farthest patch, m
    its neighbour, s their distance and N_b(m) the b rows nearest to m (m among them):

        score = (1 - exp(s) / sum over n in N_b(m) of exp(|p - n|)) s        (b = 1: s)
    """
    farthest = int(distances.argmax())
    peak = float(distances[farthest])
    if b <= 1:
        return peak
    around = nearest(bank[rows[farthest]][None], bank, b).rows[0]
    away = np.linalg.norm(features[farthest] - bank[around], axis=1).astype(np.float64)
    # exp(s) / sum exp(d) with the largest exponent taken out: distances of raw features overflow otherwise
    weight = 1 - np.exp(peak - away.max()) / np.exp(away - away.max()).sum()
    return float(weight * peak)
