"""Against SciPy, scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from anomalyclip.comparison import statistics
from anomalyclip.comparison.statistics import Scores, paired_difference, placements, rank_test, ranks, wins
from anomalyclip.errors import ConfigError
from anomalyclip.metrics import auroc, average_precision
from anomalyclip.metrics.bootstrap import _draws

RESAMPLES = 60
SIZES = [(12, 9), (30, 14)]
REFERENCE = {auroc: roc_auc_score, average_precision: average_precision_score}


def sets_of(seed: int, shift: float) -> list[Scores]:
    rng = np.random.default_rng(seed)
    found = []
    for normal, anomalous in SIZES:
        labels = np.arange(normal + anomalous) >= normal
        found.append(Scores(np.round(rng.normal(labels * shift), 1), labels))  # rounded: ties
    return found


@pytest.mark.parametrize("metric", list(REFERENCE))
def test_a_paired_difference_is_the_loop_over_the_same_draws(metric):
    first, second = sets_of(1, 0.8), sets_of(2, 1.6)
    found = paired_difference(metric, first, second, RESAMPLES, seed=3)
    compute = REFERENCE[metric]
    drawn = np.zeros(RESAMPLES)
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        rng = np.random.default_rng(statistics._seed(3, number))
        rows = np.concatenate(list(_draws(a.labels, RESAMPLES, rng, True)))
        assert all(a.labels[row].sum() == a.labels.sum() for row in rows)
        for i, row in enumerate(rows):
            values = [compute(one.labels[row], one.scores[row]) for one in (a, b)]
            drawn[i] += (values[1] - values[0]) / len(first)
    plain = np.mean([compute(b.labels, b.scores) - compute(a.labels, a.scores)
                     for a, b in zip(first, second, strict=True)])  # fmt: skip
    assert found.value == pytest.approx(plain, abs=1e-12)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=1e-9)
    share = (drawn < -1e-12).mean() + (np.abs(drawn) <= 1e-12).mean() / 2
    assert found.p == pytest.approx(max(2 * min(share, 1 - share), 1 / RESAMPLES), abs=0.02)


def test_the_interval_covers_the_difference_of_many_draws():
    """Simulated: 95% intervals hold the true difference, here 0, in about 95 of 100 experiments."""
    held = 0
    for trial in range(100):
        first, second = sets_of(2 * trial, 1.0), sets_of(2 * trial + 1, 1.0)
        found = paired_difference(auroc, first, second, 200, seed=trial)
        held += found.low <= 0 <= found.high
    assert 88 <= held <= 100


def test_one_method_against_itself_differs_by_nothing():
    same = sets_of(5, 1.0)
    found = paired_difference(auroc, same, same, 50, seed=0)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_placements_average_to_the_auroc():
    for one in sets_of(7, 0.7):
        found, expected = placements(one.scores, one.labels), roc_auc_score(one.labels, one.scores)
        assert found[one.labels].mean() == pytest.approx(expected)
        assert found[~one.labels].mean() == pytest.approx(expected)


def test_ranks_and_wins_as_scipy_has_them():
    values = np.round(np.random.default_rng(0).uniform(size=(40, 5)), 1)
    np.testing.assert_array_equal(ranks(values), np.array([rankdata(-row) for row in values]))
    assert wins(values).tolist() == [sum(row[i] == row.max() for row in values) for i in range(5)]


@pytest.mark.parametrize(("methods", "q"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_rank_test_is_friedmans_with_demsars_critical_distance(methods, q):
    values = np.random.default_rng(1).uniform(size=(14, methods))
    found = rank_test(values)
    assert found is not None
    assert (found.statistic, found.p) == pytest.approx(tuple(friedmanchisquare(*values.T)))
    assert found.critical_distance == pytest.approx(q * np.sqrt(methods * (methods + 1) / (6 * 14)), rel=1e-3)


def test_no_rank_test_of_too_little():
    rng = np.random.default_rng(0)
    assert rank_test(rng.uniform(size=(20, 2))) is None
    assert rank_test(rng.uniform(size=(4, 3))) is None
    assert rank_test(np.full((9, 3), 0.5)) is None


def test_scipys_extra_is_named(monkeypatch):
    monkeypatch.setattr("anomalyclip.extras.present", lambda package: package != "scipy")
    with pytest.raises(ConfigError, match=r"scipy.*pip install 'anomalyclip\[bench\]'"):
        rank_test(np.random.default_rng(0).uniform(size=(9, 3)))
