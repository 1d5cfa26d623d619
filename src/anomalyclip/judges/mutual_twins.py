"""Which pictures of a batch are the same photograph: stored, compressed or copied twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.mutual_pairs import TWINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.mutual_batch import Load

_SKETCH = 1024
_NEAR = 0.95  # correlation of sketches from which whole pictures are compared
_BLOCK = 512


def twin_groups(load: Load, n: int, tolerance: float = TWINS) -> NDArray[np.intp]:
    """(n,) the first picture that each one is a twin of, its own number where it has none.

    Twins agree patch by patch, see :func:`anomalyclip.judges.mutual_pairs.near_twins`; here a sketch of 1,024 numbers
    of each picture rules nearly all pairs out, so that thousands of pictures take seconds.
    """
    sketches = np.stack([_sketch(load(picture)) for picture in range(n)]) if n else np.empty((0, _SKETCH), np.float32)
    groups = np.arange(n)
    for start in range(0, n, _BLOCK):
        alike = sketches[start : start + _BLOCK] @ sketches[: start + _BLOCK].T > _NEAR
        for row, earlier in zip(*np.nonzero(alike), strict=True):
            i, j = start + int(row), int(earlier)
            both_first = j < i and groups[i] == i and groups[j] == j
            if both_first and _same(load(i), load(j), tolerance):
                groups[i] = j
    return groups


def _sketch(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = patches.reshape(-1)
    chosen = flat[np.random.default_rng(0).integers(0, len(flat), _SKETCH)]
    centred = chosen - chosen.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-12), np.float32)


def _same(one: NDArray[np.float32], other: NDArray[np.float32], tolerance: float) -> bool:
    if one.shape != other.shape:
        return False
    first, second = (values - values.mean() for values in (one, other))
    power = max(float(np.vdot(first, first)), float(np.vdot(second, second)), float(np.finfo(float).tiny))
    difference = first - second
    return float(np.vdot(difference, difference)) <= tolerance * power
