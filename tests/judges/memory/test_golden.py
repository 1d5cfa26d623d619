"""The memory's functions against what the authors' code gives: within 1e-5, as the golden README asks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from anomalyclip.judges.memory.copies import rotated
from anomalyclip.judges.memory.coreset import greedy_coreset
from anomalyclip.judges.memory.neighbourhood import joined_levels, locally_aware, neighbourhood_mean
from anomalyclip.judges.memory.peaks import reweighted, top_mean
from anomalyclip.judges.memory.search import nearest, unit
from anomalyclip.judges.memory.windows import association, harmonic_over_windows

ATOL = 1e-5


@pytest.mark.parametrize("layer", [6, 12, 18, 24])
def test_april_gan_takes_one_minus_the_cosine_to_the_nearest_patch(aprilgan, layer: int) -> None:
    queries = aprilgan[f"query_tokens_layer{layer}"][:, 1:].reshape(-1, 32)
    found = nearest(unit(queries), unit(aprilgan[f"memory_layer{layer}"]))
    expected = aprilgan[f"fewshot_grid_layer{layer}"]
    assert_allclose(found.squared[:, 0].reshape(expected.shape) / 2, expected, atol=ATOL)


@pytest.mark.parametrize(("name", "side"), [("window3", 3), ("window2", 2), ("patch", 1)])
def test_winclip_associates_windows_with_those_of_the_references(winclip, name: str, side: int) -> None:
    features = unit(winclip[f"{name}_features"])
    references, queries = features[:3], features[3:]
    bank = references.reshape(-1, features.shape[-1])
    found = nearest(queries.reshape(-1, features.shape[-1]), bank)
    distances = association(found.squared[:, 0]).reshape(len(queries), -1)
    assert_allclose(distances, winclip[f"association_{name}"], atol=ATOL)
    maps = harmonic_over_windows(distances, (6, 6), side)
    assert_allclose(maps, winclip[f"association_map_{name}"], atol=ATOL)


def test_a_window_equal_to_a_reference_gives_zero_instead_of_infinity() -> None:
    values = np.float32([[0, 0.2, 0.2, 0.2]])
    maps = harmonic_over_windows(values, (3, 3), 2)
    assert maps[0, 0, 0] == 0
    assert maps[0, 1, 1] == 0
    assert maps[0, 2, 2] == pytest.approx(0.2)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_anomalydino_averages_the_distances_of_neighbours(anomalydino, neighbours: int) -> None:
    bank = unit(anomalydino["reference_features"].reshape(-1, 32))
    queries = unit(anomalydino["query_features"].reshape(-1, 32))
    distances = (nearest(queries, bank, neighbours).squared / 2).mean(axis=1).reshape(4, -1)
    assert_allclose(distances.reshape(4, 12, 20), anomalydino[f"cosine_k{neighbours}.patch_distances"], atol=ATOL)
    assert_allclose(top_mean(distances), anomalydino[f"cosine_k{neighbours}.image_scores"], atol=ATOL)


@pytest.mark.parametrize("count", [36, 99, 100, 199, 200, 1369])
def test_top_mean_is_the_authors_mean_of_one_percent(anomalydino, count: int) -> None:
    assert_allclose(top_mean(anomalydino[f"top1p_input_{count}"]), anomalydino[f"top1p_{count}"], rtol=1e-6)


def test_copies_are_turned_as_anomalydino_turns_them(anomalydino) -> None:
    for degrees, expected in zip(anomalydino["rotation_angles"], anomalydino["rotation_outputs"], strict=True):
        # OpenCV's fixed-point bilinear weights differ by one grey level between versions
        assert_allclose(
            rotated(anomalydino["rotation_input"], float(degrees)).astype(int), expected.astype(int), atol=1
        )


@pytest.mark.parametrize("side", [1, 3, 5])
def test_neighbourhood_means_count_the_padding(patchcore, side: int) -> None:
    grids = np.moveaxis(patchcore["grid.features"], 1, -1)
    expected = patchcore[f"grid.locally_aware_p{side}"].reshape(7, 6, 6, 32)
    assert_allclose(neighbourhood_mean(grids, side), expected, atol=ATOL)


@pytest.mark.parametrize("side", [1, 3, 5])
def test_levels_are_pooled_and_joined_as_patchcore_does(patchcore, side: int) -> None:
    levels = [np.moveaxis(patchcore[f"levels.layer{number}"], 1, -1) for number in (2, 3)]
    joined = joined_levels([locally_aware(level, side, 16) for level in levels], 16)
    assert_allclose(joined.reshape(3, 64, 16), patchcore[f"levels.locally_aware_p{side}"], atol=ATOL)


def _bank_and_queries(patchcore) -> tuple[np.ndarray, np.ndarray]:
    features = patchcore["grid.locally_aware_p3"]
    return features[:3].reshape(-1, 32), features[3:].reshape(-1, 32)


@pytest.mark.parametrize("neighbours", [1, 3, 9])
def test_patchcore_scores_by_squared_distances(patchcore, neighbours: int) -> None:
    bank, queries = _bank_and_queries(patchcore)
    found = nearest(queries, bank, neighbours)
    scores = found.squared.mean(axis=1).reshape(4, 36)
    assert_allclose(scores, patchcore[f"official.patch_scores_k{neighbours}"], atol=2e-5)
    assert_allclose(scores.max(axis=1), patchcore[f"official.image_scores_k{neighbours}"], atol=2e-5)
    if neighbours == 9:
        # query 2 is a reference: its ties at zero distance may come in any order
        assert_array_equal(found.rows.reshape(4, 36, 9), patchcore["official.neighbour_indices_k9"])


@pytest.mark.parametrize("b", [1, 3, 9, 200])
def test_reweighting_as_anomalib_does_it(patchcore, b: int) -> None:
    bank, queries = _bank_and_queries(patchcore)
    found = nearest(queries, bank)
    distances, rows = np.sqrt(found.squared[:, 0]).reshape(4, 36), found.rows[:, 0].reshape(4, 36)
    queries = queries.reshape(4, 36, 32)
    for index in (0, 1, 3):  # query 2 equals a reference: 1e-3 of noise in their distances
        score = reweighted(queries[index], bank, distances[index], rows[index], b)
        assert score == pytest.approx(patchcore[f"anomalib.image_scores_b{b}"][index], abs=ATOL)


def test_coresets_choose_the_authors_rows(patchcore) -> None:
    features = patchcore["coreset.features"]
    assert_array_equal(greedy_coreset(features, 15), patchcore["coreset.greedy_indices"])
    assert_array_equal(
        greedy_coreset(patchcore["coreset.projected"], 15), patchcore["coreset.greedy_projected_indices"]
    )
    starts = patchcore["coreset.approximate_start_points"]
    assert_array_equal(greedy_coreset(features, 15, starts=starts), patchcore["coreset.approximate_indices"])
