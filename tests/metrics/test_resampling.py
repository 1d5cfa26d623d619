"""Pooled pixels of images drawn anew, beside the plain way: every image merged as often as it was drawn."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from anomalyclip.metrics import PixelMetrics
from anomalyclip.metrics.resampling import PixelDraws

DRAWS = 12


def image(rng: np.random.Generator, number: int, level: float, spread: float):
    scores = (level + spread * rng.normal(size=(24, 24))).astype(np.float32)
    mask = np.zeros(scores.shape, bool)
    if number % 3:
        mask[2:9, 3 : 8 + number % 5] = mask[15:18, 15:20] = True
        scores[mask] += np.float32(spread)
    return np.clip(scores, 0, 1), mask


def times(name: str, seed: int) -> np.ndarray:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")]).poisson(1.0, DRAWS)


@pytest.mark.parametrize(("level", "spread"), [(0.4, 0.1), (0.5, 1e-3), (1e-4, 1e-5)])
def test_draws_are_metrics_of_images_that_are_merged_so_often(level, spread) -> None:
    """The groups hold about 1/400 of the pixels each, and misjudge only pairs inside one: 0.005 is far beyond."""
    rng = np.random.default_rng(1)
    draws, kept_whole = (PixelDraws(DRAWS, seed=3, fpr_limit=0.3) for _ in range(2))
    kept = []
    for number in range(20):  # more than those from which the groups are chosen
        one, exact = PixelMetrics(), PixelMetrics(mode="exact")
        scores, mask = image(rng, number, level, spread)
        for metrics, into in ((one, draws), (exact, kept_whole)):
            metrics.update(scores, mask)
            into.add(f"{number}.png", metrics)
        kept.append(one)
    found, again = draws.compute(), kept_whole.compute()
    for draw in range(DRAWS):
        whole = PixelMetrics()
        for number, one in enumerate(kept):
            for _ in range(times(f"{number}.png", 3)[draw]):
                whole.merge(one)
        for metric, value in whole.compute().items():
            assert found[metric][draw] == pytest.approx(value, abs=0.005), metric
    for metric, values in found.items():  # weights of regions are added up in another order
        np.testing.assert_allclose(again[metric], values, rtol=1e-9)


def test_the_order_of_images_and_what_others_are_there_change_no_draw() -> None:
    """Paired with another run: the same images in another order have the same draws, and the same digest."""
    rng = np.random.default_rng(2)
    kept = []
    for number in range(8):
        one = PixelMetrics()
        one.update(*image(rng, number, 0.4, 0.1))
        kept.append((f"{number}.png", one))
    found = []
    for order in (kept, kept[::-1]):
        draws = PixelDraws(DRAWS, seed=0, fpr_limit=0.3)
        for name, one in order:
            draws.add(name, one)
        found.append((draws.digest(), draws.compute()))
    assert found[0][0] == found[1][0]
    for metric, values in found[0][1].items():
        np.testing.assert_allclose(values, found[1][1][metric], rtol=1e-9)  # sums of floats in another order


def test_good_images_alone_have_no_value() -> None:
    draws = PixelDraws(DRAWS, seed=0, fpr_limit=0.3)
    one = PixelMetrics()
    one.update(np.full((4, 4), 0.3, np.float32), np.zeros((4, 4), bool))
    draws.add("good.png", one)
    assert all(np.isnan(values).all() for values in draws.compute().values())
