"""The online bank against brute force: who becomes a prototype, who is forgotten, what a learning judge gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.prototypes import Admission, Prototypes, admit, radius_of
from anomalyclip.judges.memory.search import unit

RADIUS, MOST, PATIENCE = 0.2, 20, 5


def patches(seed: int, count: int = 16, width: int = 6) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32))


def cosine_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return 1 - left.astype(np.float64) @ right.astype(np.float64).T


def admitted(bank: Prototypes, number: int, seed: int, fixed: np.ndarray | None = None) -> Admission:
    given = patches(seed)
    far = np.full(len(given), np.inf, np.float32) if fixed is None else fixed
    found = bank.distances(given)
    return admit(bank, number, given, far, found, radius=RADIUS, most=MOST, patience=PATIENCE)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_the_bank_stays_bounded_and_in_order_and_keeps_what_is_needed(seeds: list[int]) -> None:
    bank, last_needed = Prototypes.none(6), {}
    for number, seed in enumerate(seeds, 1):
        before = bank
        found = admitted(bank, number, seed)
        bank = found.prototypes
        assert len(bank) <= MOST
        assert (np.diff(bank.numbers) > 0).all()
        assert (np.diff(bank.pictures) >= 0).all()
        assert found.new <= max(1, 16 // 8)
        assert set(found.gone.tolist()) == (
            set(before.numbers.tolist()) | set(bank.numbers[len(bank) - found.new :].tolist())
        ) - set(bank.numbers.tolist())
        near = cosine_distances(patches(seed), before.rows) if len(before) else np.empty((16, 0))
        for column, one in enumerate(before.numbers.tolist()):
            nearest = near.argmin(axis=1) == column
            if (near[nearest, column] <= RADIUS).any():
                last_needed[one] = number
                assert one in found.needed
        last_needed.update(dict.fromkeys(bank.numbers[len(bank) - found.new :].tolist(), number))
        assert [last_needed[one] for one in bank.numbers.tolist()] == bank.used.tolist()
        assert (bank.used > number - PATIENCE).all()


def test_the_farthest_patches_become_prototypes_until_an_eighth_is_taken() -> None:
    given = patches(1, 40)
    fixed = np.zeros(40, np.float32)
    fixed[[3, 7, 9, 30]] = [0.9, 0.5, 0.8, 0.19]
    bank = Prototypes.none(6)
    found = admit(bank, 1, given, fixed, bank.distances(given), radius=RADIUS, most=MOST)
    chosen = found.prototypes.places.tolist()
    assert chosen[0] == 3
    assert set(chosen) <= {3, 7, 9}, "what lies within the radius is known"
    left = set(range(40)) - set(chosen)
    near = np.minimum(fixed, cosine_distances(given, given[chosen]).min(axis=1))
    assert all(near[index] <= RADIUS for index in left)


def strangers(count: int, **bounds: int) -> Prototypes:
    """A bank after so many pictures of which none needs another's prototypes."""
    bank = Prototypes.none(6)
    for number in range(1, count + 1):
        given = patches(100 + number)
        far = np.full(16, np.inf, np.float32)
        bank = admit(bank, number, given, far, bank.distances(given), radius=0.0, **bounds).prototypes
    return bank


def test_what_is_not_needed_is_forgotten_first() -> None:
    assert strangers(13, most=100, patience=4).pictures.tolist() == [10, 10, 11, 11, 12, 12, 13, 13]
    assert strangers(13, most=6).pictures.tolist() == [11, 11, 12, 12, 13, 13]


def test_no_prototype_no_distance() -> None:
    near, _ = Prototypes.none(6).distances(patches(0))
    assert np.isinf(near).all()


def test_distances_are_those_of_brute_force() -> None:
    bank = Prototypes.none(6)
    for number in range(1, 6):
        bank = admitted(bank, number, number).prototypes
    near, rows = bank.distances(patches(50))
    expected = cosine_distances(patches(50), bank.rows)
    assert near == pytest.approx(expected.min(axis=1), abs=1e-6)
    assert rows.tolist() == expected.argmin(axis=1).tolist()
    assert bank.before(3).pictures.tolist() == [one for one in bank.pictures.tolist() if one <= 3]


def test_the_radius_is_the_median_distance_to_other_pictures() -> None:
    pictures = [patches(seed) for seed in range(4)]
    bank = make_bank(pictures)
    expected = [
        cosine_distances(bank.rows[bank.pictures == number], bank.rows[bank.pictures != number]).min(axis=1)
        for number in range(4)
    ]
    assert radius_of(bank) == pytest.approx(float(np.median(np.concatenate(expected))), abs=1e-6)
    assert radius_of(make_bank(pictures[:1])) == 0
