"""The bet is fair: checked against exact enumeration, and Ville's bound against simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from anomalyclip.calibration.martingale import GapMartingale

GAPS = np.array([1.0, 2.0, 3.0])
BETS = np.array([[1.0, 2.0, 5.0], [4.0, 1.0, 0.5]])


def test_expected_capital_stays_one() -> None:
    """Over all paths of four scores, weighted by the urn's own probabilities."""
    total = expected = 0.0
    for path in product(range(3), repeat=4):
        bet, counts, chance = GapMartingale(GAPS, BETS), np.zeros(3), 1.0
        for index in path:
            urn = GAPS + counts
            chance *= urn[index] / urn.sum()
            counts[index] += 1
            bet.add(index)
        total += chance
        expected += chance * bet.capital
    assert total == pytest.approx(1)
    assert expected == pytest.approx(1, abs=1e-12)


def test_the_urn_is_the_law_of_ranks() -> None:
    """Which gap of n scores the next two fall into, whatever the distribution."""
    rng = np.random.default_rng(0)
    scores = rng.pareto(0.7, (60_000, 3 + 2))
    ranks = [(scores[:, :3] < scores[:, 3 + i, None]).sum(axis=1) for i in range(2)]
    for first, second in product(range(4), repeat=2):
        share = np.mean((ranks[0] == first) & (ranks[1] == second))
        assert share == pytest.approx(1 / 4 * (1 + (first == second)) / 5, abs=0.005)


def test_capital_grows_when_the_bet_is_right() -> None:
    bet = GapMartingale(GAPS, BETS)
    for _ in range(30):
        bet.add(0)
    assert bet.best == bet.capital > 100
    assert bet.counts.tolist() == [30, 0, 0]
