"""Comparing a batch in bounded memory: the numbers of all pairs at once, every partner once, and the fused rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.mutual_batch import (
    Places,
    compare,
    empty_table,
    pairs_of,
    put_task,
    ring,
    run_task,
    tasks_of,
)
from anomalyclip.judges.mutual_fusion import (
    OF_MANY_KINDS,
    SeenBriefly,
    fused,
    looks_half_faulty,
    lower_spread,
    mixture_for,
    mutual_distances,
    scale_of,
)
from anomalyclip.judges.mutual_nearest import Picture, Shelf
from anomalyclip.judges.mutual_twins import twin_groups

WIDTH = 16


def _batch(n: int, seed: int = 0, noise: float = 0.3, patches: int = 25) -> list[np.ndarray]:
    """Unit vectors (patches, WIDTH) of n pictures of one part."""
    rng = np.random.default_rng(seed)
    part = rng.normal(size=(patches, WIDTH))
    return [unit((part + noise * rng.normal(size=part.shape)).astype(np.float32)) for _ in range(n)]


def _seen(pictures: list[np.ndarray], words: float = 0.5) -> list[SeenBriefly]:
    """Patches of which none has its like in its own picture."""
    apart = np.full(len(pictures[0]), np.inf, np.float32)
    return [SeenBriefly(np.full(len(one), words, np.float32), 0.5, 0.5, apart[: len(one)]) for one in pictures]


@given(n=st.integers(2, 40), partners=st.integers(2, 50))
def test_every_picture_has_as_many_partners_and_no_pair_comes_twice(n: int, partners: int) -> None:
    steps = ring(n, partners)
    pairs = [(i, (i + step) % n) for step in steps for i in range(n) if 2 * step != n or i < step]
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == pairs_of(n, partners)
    met = np.bincount(np.array(pairs).ravel(), minlength=n)
    assert len(set(met.tolist())) == 1
    assert met[0] == n - 1 if n - 1 <= partners else met[0] <= max(partners, 2)


@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("budget", [1, 2000, 2**30])
def test_distances_are_those_of_all_pairs_whatever_the_memory(n: int, budget: int, tmp_path: Path) -> None:
    pictures = _batch(n)
    pictures[2] = pictures[2][:9]  # of other proportions
    found = compare(pictures.__getitem__, [len(one) for one in pictures], budget=budget, scratch=tmp_path)
    assert isinstance(found.values, np.memmap) == (budget < 2**20)
    for i, one in enumerate(pictures):
        exact = np.sort([cdist(one, other, "cosine").min(axis=1) for j, other in enumerate(pictures) if j != i], axis=0)
        mine = np.sort(found.values[found.starts[i] : found.starts[i + 1]], axis=1).T
        np.testing.assert_allclose(mine, exact, atol=2e-6)


def test_threads_and_kernels_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = _batch(9)
    counts = [len(one) for one in pictures]
    alone, two, five = (compare(pictures.__getitem__, counts, threads=threads).values for threads in (1, 2, 5))
    np.testing.assert_array_equal(alone, two)
    np.testing.assert_array_equal(alone, five)
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "0")
    np.testing.assert_allclose(compare(pictures.__getitem__, counts).values, alone, atol=1e-6)


@pytest.mark.parametrize(("n", "partners"), [(5, 48), (8, 48), (12, 48), (13, 6)])
@pytest.mark.parametrize("aligned", [None, 1])
def test_tasks_in_any_order_make_the_same_table(n: int, partners: int, aligned: int | None) -> None:
    pictures = _batch(n)
    pictures[2] = pictures[2][:9]
    counts = [len(one) for one in pictures]
    places = None if aligned is None else Places([(3, 3) if count == 9 else (5, 5) for count in counts], aligned)
    whole = compare(pictures.__getitem__, counts, partners=partners, places=places)
    table = empty_table(counts, partners)
    table.values[:] = np.nan
    tasks = tasks_of(n, partners, pictures=4, steps=2)
    for number in np.random.default_rng(0).permutation(len(tasks)).tolist():
        put_task(
            table, tasks[number], run_task(pictures.__getitem__, counts, tasks[number], partners, places), partners
        )
    np.testing.assert_array_equal(table.values, whole.values)
    assert sum(len(task.pairs(n, ring(n, partners))) for task in tasks) == pairs_of(n, partners)


@pytest.mark.parametrize("grids", [((4, 6), (4, 6)), ((4, 6), (5, 3)), ((2, 2), (9, 7))])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_places_are_those_at_most_so_far_and_every_patch_has_one(
    grids: tuple[tuple[int, int], tuple[int, int]], radius: int
) -> None:
    near = ~Places(grids, radius).barred(0, 1)
    if grids[0] == grids[1]:
        place = np.stack(np.divmod(np.arange(24), 6), axis=1)
        apart = abs(place[:, None] - place[None]).max(axis=2)
        np.testing.assert_array_equal(near, apart <= radius)
    assert near.any(axis=0).all()
    assert near.any(axis=1).all()
    np.testing.assert_array_equal(~Places(grids, radius).barred(1, 0), near.T)


def test_swapped_parts_are_found_at_their_places_only() -> None:
    """Two parts of a board change places: each finds its like elsewhere, none where it is."""
    pictures = _batch(12, noise=0.15)
    swapped = pictures[4].copy()
    swapped[[6, 18]] = swapped[[18, 6]]
    pictures[4] = swapped
    counts, places = [25] * 12, Places([(5, 5)] * 12, 1)
    anywhere, there = (mutual_distances(compare(pictures.__getitem__, counts, places=one))[0] for one in (None, places))
    tops = np.array([[np.sort(one)[-2:].mean() for one in found] for found in (anywhere, there)])
    assert tops[0, 4] <= np.delete(tops[0], 4).max() * 1.1, "any place hides them"
    assert tops[1, 4] > 3 * np.delete(tops[1], 4).max()
    assert set(np.argsort(-there[4])[:2].tolist()) == {6, 18}


def test_a_shelf_holds_two_pictures_at_least_and_no_more_bytes_than_it_may() -> None:
    loads: list[int] = []

    def load(picture: int) -> Picture:
        loads.append(picture)
        return Picture(np.zeros((10, 10), np.float32))

    shelf = Shelf(load, 1200)
    for picture in (0, 1, 0, 1, 2, 3, 3):
        shelf[picture]
    assert loads == [0, 1, 2, 3] or len(loads) <= 6
    assert sum(one.nbytes for one in shelf._held.values()) <= 1200


def test_the_interval_leaves_the_nearest_share_out() -> None:
    found = compare(_batch(11).__getitem__, [25] * 11)
    rows = np.sort(found.values[:25], axis=1)
    np.testing.assert_allclose(found.interval(0, 0.3), rows[:, 3:6].mean(axis=1), rtol=1e-6)


@hypothesis_settings(max_examples=20)
@given(st.permutations(range(9)))
def test_permuting_pictures_permutes_scores(order: list[int]) -> None:
    pictures = _batch(9)
    pictures[4][3] = unit(-pictures[4][3][None])[0]

    def scores(given: list[np.ndarray]) -> np.ndarray:
        distances, _ = mutual_distances(compare(given.__getitem__, [25] * 9))
        return fused(distances, _seen(given), None)[0]

    np.testing.assert_allclose(scores([pictures[i] for i in order]), scores(pictures)[order], atol=1e-5)


@hypothesis_settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_normal_picture_never_gains_by_another_normal_one(seed: int) -> None:
    """The other normal picture holds the same patches somewhere: no patch's distance may grow by its coming."""
    pictures = _batch(10, seed)
    one_more = [*pictures, pictures[0][::-1].copy()]
    before, after = (
        mutual_distances(compare(given.__getitem__, [25] * len(given)))[0][0] for given in (pictures, one_more)
    )
    assert (after <= before + 1e-6).all()


@pytest.mark.parametrize("repeats", [1, 3, 5])
def test_a_fault_repeated_in_a_third_of_the_batch_stays_odd(repeats: int) -> None:
    pictures = _batch(16, noise=0.2)
    fault = unit(np.random.default_rng(9).normal(size=(1, WIDTH)).astype(np.float32))[0]
    for i in range(repeats):
        pictures[i][7 + i] = fault
    distances, many = mutual_distances(compare(pictures.__getitem__, [25] * 16))
    scores, _ = fused(distances, _seen(pictures), None)
    assert not many
    assert set(np.argsort(-scores)[:repeats]) == set(range(repeats))
    assert all(int(distances[i].argmax()) == 7 + i for i in range(repeats))


def test_a_rare_kind_is_no_fault_in_a_batch_of_many_kinds() -> None:
    """Eight weaves, one rougher than the other; the fault lies in a smooth one."""
    rng = np.random.default_rng(3)
    pictures = []
    for kind in range(8):
        base = rng.normal(size=(1, WIDTH))
        rough = 0.05 + 0.12 * kind
        pictures += [unit((base + rough * rng.normal(size=(25, WIDTH))).astype(np.float32)) for _ in range(8)]
    pictures[3][11] = unit(rng.normal(size=(1, WIDTH)).astype(np.float32))[0]
    compared = compare(pictures.__getitem__, [25] * 64, partners=64)
    plain = [compared.interval(i, 0.3) for i in range(64)]
    tops, middles = [one.max() for one in plain], [np.median(one) for one in plain]
    distances, many = mutual_distances(compared)
    assert spearmanr(tops, middles).statistic > 0.5
    if many:
        assert int(np.argmax([one.max() for one in distances])) == 3


def test_copies_are_found_by_sketches_as_by_whole_pictures() -> None:
    pictures = _batch(6)
    noisy = unit(pictures[1] + 0.004 * np.random.default_rng(5).normal(size=pictures[1].shape).astype(np.float32))
    every = [*pictures, pictures[1], noisy, pictures[2][::-1].copy()]
    assert twin_groups(every.__getitem__, len(every)).tolist() == [0, 1, 2, 3, 4, 5, 1, 1, 8]


def test_scores_have_the_scale_that_is_told() -> None:
    raw = np.random.default_rng(0).normal(size=2001)
    scale = scale_of(raw)
    middle, one = float(np.median(raw)), float(lower_spread(raw[:, None])[0])
    np.testing.assert_allclose(scale([middle, middle + 3 * one]), [0.1, 0.5], atol=1e-6)
    np.testing.assert_allclose(one, 1, atol=0.06)  # a normal distribution's 16% quantile lies one deviation below


@pytest.mark.parametrize(("own", "counted"), [(0.5, 1.0), (0.5 * np.exp(-0.8), 0.5), (0.1, 0.0)])
def test_bare_distances_of_a_batch_of_strangers_do_not_count(own: float, counted: float) -> None:
    distances = [np.full(25, 0.5, np.float32) for _ in range(12)]
    distances[3] = np.full(25, 0.6, np.float32)  # a rare picture, of which the words suspect nothing
    seen = [SeenBriefly(0.1 / near, 0.5, 0.5, np.float32(own / 0.5) * near) for near in distances]
    mixture = mixture_for(distances, seen, many=False)
    assert (mixture.memory, mixture.novelty, 2 * mixture.map_memory) == pytest.approx((counted,) * 3, abs=1e-3)
    assert (mixture.product, mixture.words, mixture.novelty_product) == (1, 1, 1)
    assert mixture_for(distances, seen, many=True) == OF_MANY_KINDS
    raw = fused(distances, seen, None, mixture)[1]
    assert (raw[3] > 1 + np.delete(raw, 3).max()) == (counted > 0)


def test_pictures_that_are_all_alike_give_finite_scores() -> None:
    pictures = [np.eye(25, WIDTH, dtype=np.float32)] * 6
    distances, _ = mutual_distances(compare(pictures.__getitem__, [25] * 6))
    scores, raw = fused(distances, _seen(pictures), None)
    assert np.isfinite(scores).all()
    assert np.isfinite(raw).all()


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (0.1, False), (0.45, True)])
def test_a_batch_that_is_half_faulty_looks_so(share: float, told: bool) -> None:
    rng = np.random.default_rng(1)
    raw = rng.normal(size=200)
    raw[: int(200 * share)] += 8
    assert looks_half_faulty(raw, np.full(200, 0.2)) == told


def test_where_words_suspect_all_chance_seldom_warns_and_half_a_batch_does() -> None:
    """Of a batch without faults scores reach as far above the middle as below, but for chance."""
    words, warned = np.full(79, 0.9), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        warned.append(looks_half_faulty(rng.normal(size=79), words))
        faulty = np.concatenate([rng.normal(size=39), rng.normal(3, 0.4, size=40)])
        assert looks_half_faulty(faulty, words)
    assert sum(warned) <= 8
