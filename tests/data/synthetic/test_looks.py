"""Looks change pictures as a whole, the same for the normal and the damaged one of a seed."""

from __future__ import annotations

import numpy as np
import pytest

from anomalyclip.data.synthetic import render
from anomalyclip.data.synthetic.looks import look


def test_looks_are_a_matter_of_the_seed_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for seed in range(40):
        first, again = (look(np.random.default_rng(seed), image, medical=True) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert first.dtype == np.uint8
        assert first.shape == image.shape


def test_about_a_third_of_the_pictures_get_one() -> None:
    image = np.full((32, 32, 3), 90, np.uint8)
    image[8:20, 8:20] = (200, 40, 120)
    changed = sum(not np.array_equal(look(np.random.default_rng(seed), image, False), image) for seed in range(400))
    assert 80 < changed < 170


@pytest.mark.parametrize("family", ["mounted_part", "kernel", "bolt", "insulator", "pads"])
def test_new_families_come_whole_and_damaged_as_pairs(family: str) -> None:
    """Same scene with and without: outside the mask most pixels stay near what they were."""
    for seed in range(3):
        good = render(seed, 96, anomalous=False, families=[family])
        bad = render(seed, 96, anomalous=True, families=[family])
        assert not good.labels.any()
        outside = np.abs(good.image.astype(int) - bad.image.astype(int)).mean(axis=2)[bad.labels == 0]
        assert np.median(outside) < 8
