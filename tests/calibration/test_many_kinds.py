"""Good pictures of one kind and of many: how words and memory are joined, and that it is told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anomalyclip.calibration import mixing
from anomalyclip.calibration.gathering import Good
from anomalyclip.calibration.kinds import division, kinds_among, votes_among
from anomalyclip.calibration.lining import Learned, learn
from anomalyclip.calibration.mixing import AUTO, OF_MANY_KINDS, mixture_for
from anomalyclip.calibration.remembering import _about
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.judges.memory.fusion import STATISTICS, parts_of
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import APART, Seen
from anomalyclip.judges.memory.source import Source

SOURCE, VIEWS = Source("stages", (4,)), plan_views((4, 4), Geometry())


def line_of(noises: list[float], kinds: int = 1) -> Learned:
    """A line of pictures of so many kinds in turn: the nine patches of one in any order, each with its own noise."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(kinds, 9, 8))
    pictures = []
    for number, noise in enumerate(noises):
        own = common[number % kinds]
        described = unit((own + noise * rng.normal(size=own.shape)).astype(np.float32))
        described = described[rng.permutation(9)]
        words = rng.beta(2, 6, 9).astype(np.float32)
        whole, score = rng.uniform(0.1, 0.6, 2)
        seen = Seen(described, (3, 3), words, float(whole), rng.random((4, 4), np.float32), float(score))
        key = number.to_bytes(16, "big")
        pictures.append(Good(f"{number}.png", (4, 4), key, VIEWS, [seen], None, lambda: None, b""))  # type: ignore[arg-type]
    return learn(pictures, SOURCE, rate=0.1, pixel_rate=0.1, sigma=0)


def test_pictures_of_one_kind_are_joined_a_fifth_each() -> None:
    learned = line_of([0.2] * 12)
    assert learned.line.mixture == AUTO
    assert learned.line.levels is None


def test_pictures_of_one_kind_some_of_them_noisy_are_of_one_kind() -> None:
    assert line_of([0.2] * 11 + [1.0]).line.mixture == AUTO
    assert line_of([0.2] * 9 + [5.0]).line.mixture == AUTO
    assert line_of([0.05] * 6 + [0.4] * 6).line.mixture == AUTO


@pytest.fixture(scope="module")
def many() -> Learned:
    return line_of([0.1] * 12, kinds=2)


def test_pictures_of_kinds_that_share_nothing_are_told_apart(many: Learned) -> None:
    votes = votes_among(many.held)
    assert_allclose(votes.sum(axis=1), 1)
    assert not votes[::2, 1::2].any()
    assert votes[0, 0] == 0, "itself left out"
    assert division(votes, 3).conductance == 0
    assert many.line.mixture == OF_MANY_KINDS, "each kind is well known"
    assert "groups that share nothing" in _about(many.line.mixture)[0]


def test_pictures_of_many_kinds_that_are_not_known_leave_all_to_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    held = line_of([0.1] * 12, kinds=2).held
    known = {"memory", "product", "novelty", "novelty_product", "kind", "map_memory"}
    for foreign, shares in ((0.2, (1, 1)), (0.3, (0.5, 1)), (0.4, (0, 1)), (0.6, (0, 0.5)), (0.7, (0, 0))):
        monkeypatch.setattr(mixing, "foreignness", lambda _, foreign=foreign: foreign)
        found = mixture_for(held)
        for name in known:
            assert getattr(found, name) == pytest.approx(shares[0] * getattr(OF_MANY_KINDS, name)), name
        assert (found.kind_product, found.zero_shot, found.words) == pytest.approx((2 * shares[1], 1 - shares[1], 2))


@pytest.mark.parametrize("seed", range(8))
def test_the_division_found_is_the_best_of_all_where_there_is_a_good_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.random((10, 10)) * (1 - np.eye(10))
    own = rng.permutation(np.arange(10) < 3 + seed % 3)
    votes *= np.where(own[:, None] == own, 1, 0.01 * (seed > 1))
    votes /= votes.sum(axis=1, keepdims=True)
    weights, degree = (votes + votes.T) / 2, ((votes + votes.T) / 2).sum(axis=1)
    best = 1.0
    for size in range(3, 8):
        for group in itertools.combinations(range(10), size):
            inside = np.isin(np.arange(10), group)
            best = min(best, weights[inside][:, ~inside].sum() / min(degree[inside].sum(), degree[~inside].sum()))
    assert division(votes, 3).conductance == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("groups", [3, 4])
def test_groups_in_several_pieces_are_divided_between_pieces(groups: int) -> None:
    own = np.repeat(np.arange(groups), 4)
    votes = (own[:, None] == own) / 4.0
    assert division(votes, 3).conductance == pytest.approx(0, abs=1e-12)
    mixed = np.full((12, 12), 1 / 12)
    assert division(mixed, 3).conductance > 0.4
    assert len(kinds_among(mixed, 3)) == 1
    found = kinds_among(votes, 3)
    assert [members.tolist() for members in found] == np.arange(4 * groups).reshape(groups, 4).tolist()
    assert len(kinds_among(votes, 5)) <= max(1, groups // 2)


def test_a_picture_is_held_against_what_its_kind_has_itself(many: Learned) -> None:
    line, described = many.line, [one.views[0].described for one in many.held]
    count = len(described)
    near = np.array([[1 - patches @ other.T for other in described] for patches in described]).min(axis=-1)
    memory = np.empty((count, count + 1))  # of picture r without itself and without picture i; the last: itself alone
    for r in range(count):
        for i in range(count + 1):
            present = [number for number in range(count) if number not in (r, i)]
            memory[r, i] = np.log(near[r, present].min(axis=0).max() + 1e-6)
    assert line.levels is not None
    assert_allclose(line.levels[:, 0], memory[:, count], atol=5e-3)
    for i, one in enumerate(many.held):
        others = [number for number in range(count) if number != i]
        votes = [others[number] for number in near[i, others].argmin(axis=0)]
        expected = np.mean([memory[vote, i] for vote in votes])
        assert one.parts()[0, STATISTICS.index("kind")] == pytest.approx(memory[i, count] - expected, abs=2e-2)


def test_few_pictures_are_not_asked() -> None:
    assert line_of([0.1] * 8, kinds=2).line.mixture == AUTO


def test_a_patch_is_compared_with_those_of_its_view_that_share_nothing_with_it() -> None:
    rng = np.random.default_rng(3)
    described = unit(rng.normal(size=(6 * 5, 4)).astype(np.float32))
    view = Seen(described, (6, 5), np.zeros(30, np.float32), 0.5, np.zeros((4, 4), np.float32), 0.5)
    for patch, found in enumerate(view.to_itself(np.arange(30))):
        row, column = divmod(patch, 5)
        apart = [n for n in range(30) if max(abs(n // 5 - row), abs(n % 5 - column)) >= APART]
        assert found == pytest.approx(min(1 - described[patch] @ described[n] for n in apart), abs=1e-6)
    small = Seen(described[:6], (2, 3), np.ones(6, np.float32), 0.5, np.zeros((4, 4), np.float32), 0.5)
    assert np.isinf(small.to_itself(np.arange(6))).all()
    found = parts_of(SOURCE, small, np.arange(6, dtype=np.float32))
    assert_allclose(found[[3, 4]], found[:2])


@pytest.mark.parametrize("seed", range(6))
def test_only_patches_that_could_be_hottest_are_asked_for_their_like(seed: int) -> None:
    rng = np.random.default_rng(seed)
    described = unit(rng.normal(size=(20 * 12, 6)).astype(np.float32))
    words = rng.beta(1, 4, 240).astype(np.float32)
    view = Seen(described, (20, 12), words, 0.5, np.zeros((4, 4), np.float32), 0.5)
    distances = (rng.random(240) ** 3 * (0.02 if seed % 2 else 2)).astype(np.float32)
    novel = np.minimum(distances, view.to_itself(np.arange(240)))
    hottest = [np.sort(values)[-2:].mean() for values in (novel, novel * words)]
    assert_allclose(view.novelty(distances), hottest, rtol=1e-5)


def test_leaving_one_picture_out_is_known_from_the_two_nearest() -> None:
    learned = line_of([0.05] * 6 + [0.6] * 6, kinds=2)
    for one in learned.held:
        for number in range(12):
            direct = [near.distances for near in one.against(number)]
            assert_allclose(one._distances_but(number), direct, atol=0)
