"""Independent references and sample makers for the metrics room, written from the definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import auc

Maps = NDArray[np.floating]
Masks = NDArray[np.bool_]
EIGHT = np.ones((3, 3))


def _regions(masks: Masks, structure: NDArray[np.float64]) -> list[Masks]:
    """Every connected region as a mask over the whole stack."""
    found = []
    for index, mask in enumerate(masks):
        labels, count = ndimage.label(mask, structure=structure)
        for number in range(1, count + 1):
            region = np.zeros_like(masks)
            region[index] = labels == number
            found.append(region)
    return found


def _brute_force_aupro(maps: Maps, masks: Masks, limit: float = 0.3, structure: NDArray[np.float64] = EIGHT) -> float:
    """The definition: a point for every distinct score, regions looped over, cut at the limit by interpolation."""
    regions = _regions(masks, structure)
    fpr, pro = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        called = maps >= threshold
        fpr.append(called[~masks].mean())
        pro.append(float(np.mean([called[region].mean() for region in regions])))
    kept_fpr = [x for x in fpr if x <= limit]
    kept_pro = pro[: len(kept_fpr)]
    if kept_fpr[-1] < limit:
        after = len(kept_fpr)
        slope = (pro[after] - pro[after - 1]) / (fpr[after] - fpr[after - 1])
        kept_fpr.append(limit)
        kept_pro.append(pro[after - 1] + slope * (limit - fpr[after - 1]))
    return (
        float(
            sum(
                (x1 - x0) * (y0 + y1) / 2
                for x0, x1, y0, y1 in zip(kept_fpr, kept_fpr[1:], kept_pro, kept_pro[1:], strict=False)
            )
        )
        / limit
    )


def _authors_pro(maps: Maps, masks: Masks, limit: float = 0.3, steps: int = 200) -> float:
    """The authors' procedure restated: 200 steps, strict comparison, FPR < limit, FPR stretched to [0, 1]."""
    lowest, highest = maps.min(), maps.max()
    regions = _regions(masks, EIGHT)
    points = []
    for threshold in np.arange(lowest, highest, (highest - lowest) / steps):
        called = maps > threshold
        points.append((called[~masks].mean(), np.mean([called[region].mean() for region in regions])))
    fpr, pro = np.array([point for point in points if point[0] < limit]).T
    return float(auc((fpr - fpr.min()) / (fpr.max() - fpr.min()), pro))


def _make_maps(seed: int, count: int = 4, size: int = 24, levels: int | None = None) -> tuple[Maps, Masks]:
    """Smooth noise in [0, 1] that is somewhat higher on random blobs; `levels` rounds it to make ties."""
    random = np.random.default_rng(seed)
    masks = ndimage.gaussian_filter(random.normal(size=(count, size, size)), (0, 2, 2)) > 0.18
    masks[0] = False  # one normal image
    maps = ndimage.gaussian_filter(random.normal(size=masks.shape), (0, 1, 1)) + 0.3 * masks
    maps = (maps - maps.min()) / np.ptp(maps)
    if levels is not None:
        maps = np.round(maps * levels) / levels
    return maps.astype(np.float32), masks


@pytest.fixture(scope="session")
def make_maps() -> Callable[..., tuple[Maps, Masks]]:
    return _make_maps


@pytest.fixture(scope="session")
def brute_force_aupro() -> Callable[..., float]:
    return _brute_force_aupro


@pytest.fixture(scope="session")
def authors_pro() -> Callable[..., float]:
    return _authors_pro
