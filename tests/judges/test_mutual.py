"""Mutual scoring against the authors' numbers, against brute force, and on folders that break the reference form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.mutual import lnamd, mutual_scores, mutual_scores_robust, rscin
from anomalyclip.judges.mutual_pairs import near_twins, nearest_in_others

SIDE, WIDTH = 6, 32
LAYERS = (0, 1, 2)


@pytest.fixture(scope="module")
def musc() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden_memory" / "musc.npz") as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module")
def seven(musc: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    return {layer: musc[f"n7.tokens_layer{layer}"][:, 1:] for layer in LAYERS}


@pytest.mark.parametrize("r", [1, 3, 5])
def test_lnamd_is_the_authors(musc: dict[str, np.ndarray], seven: dict[int, np.ndarray], r: int) -> None:
    found = np.stack([lnamd(seven[layer], r) for layer in LAYERS], axis=2)
    np.testing.assert_allclose(found, musc[f"n7.lnamd_r{r}"], atol=1e-5)


@pytest.mark.parametrize("r", [1, 3, 5])
@pytest.mark.parametrize("layer", LAYERS)
def test_patch_scores_of_one_layer_are_the_authors(
    musc: dict[str, np.ndarray], seven: dict[int, np.ndarray], layer: int, r: int
) -> None:
    found = mutual_scores({layer: seven[layer]}, (r,))
    np.testing.assert_allclose(found, musc[f"n7.msm_r{r}_layer{layer}"], atol=1e-5)


def test_patch_scores_of_all_layers_are_the_authors(musc: dict[str, np.ndarray], seven: dict[int, np.ndarray]) -> None:
    np.testing.assert_allclose(mutual_scores(seven), musc["n7.patch_scores"], atol=1e-5)


def test_a_mean_over_six_pictures_is_the_authors(musc: dict[str, np.ndarray]) -> None:
    """21 pictures: the only golden case whose interval holds several."""
    features = musc["n21.features"]
    found = nearest_in_others(features)
    others = [j for j in range(21) if j != 1]
    np.testing.assert_allclose(found[1][:, others], musc["n21.patch_to_image_1"], atol=1e-5)
    np.testing.assert_allclose(np.sort(found, axis=2)[:, :, :6].mean(axis=2), musc["n21.msm_0_30"], atol=1e-5)


@pytest.mark.parametrize("windows", ["1", "2", "3", "23"])
def test_rescoring_is_the_authors(musc: dict[str, np.ndarray], windows: str) -> None:
    found = rscin(musc["n7.scores_before_rscin"], musc["n7.class_features_normalised"], [int(k) for k in windows])
    np.testing.assert_allclose(found, musc[f"n7.rscin_k{windows}"], atol=1e-5)


@pytest.mark.parametrize(("features", "windows"), [("", "189"), ("", "123"), ("signed_", "189")])
def test_rescoring_with_wide_windows_is_the_authors(musc: dict[str, np.ndarray], features: str, windows: str) -> None:
    given_features = musc["n12.signed_class_features" if features else "n12.class_features_normalised"]
    unit = given_features / np.linalg.norm(given_features, axis=1, keepdims=True)
    found = rscin(musc["n12.scores"], unit, [int(k) for k in windows])
    np.testing.assert_allclose(found, musc[f"n12.{features}rscin_k{windows}"], atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_reference_form_refuses_small_batches(seven: dict[int, np.ndarray], n: int) -> None:
    with pytest.raises(InputError, match=r"at least 5 pictures, got .*mutual_scores_robust"):
        mutual_scores({layer: values[:n] for layer, values in seven.items()})


def _tokens(n: int, seed: int = 0, noise: float = 0.3) -> np.ndarray:
    """(n, 36, 32): pictures of one part, whose patches differ by noise."""
    rng = np.random.default_rng(seed)
    part = rng.normal(size=(1, SIDE * SIDE, WIDTH))
    return (part + noise * rng.normal(size=(n, SIDE * SIDE, WIDTH))).astype(np.float32)


def _brute(tokens: np.ndarray, r: int, first: int, end: int) -> np.ndarray:
    """The definition, with SciPy's distances and no shortcut."""
    features = lnamd(tokens, r)
    features = features / np.linalg.norm(features, axis=2, keepdims=True)
    scores = []
    for i, own in enumerate(features):
        near = [cdist(own, other).min(axis=1) for j, other in enumerate(features) if j != i]
        scores.append(np.sort(np.stack(near, axis=1), axis=1)[:, first:end].mean(axis=1))
    return np.stack(scores)


@pytest.mark.parametrize("n", [5, 9, 14])
def test_both_forms_equal_brute_force(n: int) -> None:
    tokens = _tokens(n)
    count = int(0.3 * (n - 1))
    np.testing.assert_allclose(mutual_scores({1: tokens}, (3,)), _brute(tokens, 3, 0, count), atol=1e-5)
    end = int(np.ceil(0.6 * (n - 1)))
    np.testing.assert_allclose(mutual_scores_robust({1: tokens}, (3,)), _brute(tokens, 3, count, end), atol=1e-5)


@pytest.mark.parametrize("score", [mutual_scores, mutual_scores_robust])
@given(seed=st.integers(0, 10_000))
@hypothesis_settings(max_examples=10)
def test_the_order_of_pictures_does_not_matter(score, seed: int) -> None:  # type: ignore[no-untyped-def]
    tokens = _tokens(7, seed)
    order = np.random.default_rng(seed).permutation(7)
    np.testing.assert_allclose(score({1: tokens[order]}, (1, 3)), score({1: tokens}, (1, 3))[order], atol=1e-6)


@given(seed=st.integers(0, 10_000))
@hypothesis_settings(max_examples=10)
def test_one_more_normal_picture_makes_no_normal_picture_odd(seed: int) -> None:
    """Distances to the pictures that were there do not change, so that a score moves within its own interval only."""
    tokens = _tokens(13, seed)
    before = mutual_scores_robust({1: tokens[:12]}, (1,)).max(axis=1)
    after = mutual_scores_robust({1: tokens}, (1,))[:12].max(axis=1)
    assert (after <= before.max() + 0.05).all()


def _with_fault(n: int, faulty: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A batch in which the first pictures have the same fault at patch 14; and which pictures have it."""
    tokens = _tokens(n, seed)
    fault = 1.5 * np.random.default_rng(seed + 1).normal(size=WIDTH)
    tokens[:faulty, 14] = fault + 0.3 * np.random.default_rng(seed + 2).normal(size=(faulty, WIDTH))
    return tokens, np.arange(n) < faulty


def test_a_fault_on_a_third_of_the_batch_stays_odd_where_the_reference_calls_it_normal() -> None:
    tokens, has = _with_fault(21, 7)
    reference, robust = mutual_scores({1: tokens}, (1,)), mutual_scores_robust({1: tokens}, (1,))
    assert reference[has, 14].mean() < np.median(reference[~has]) + 0.05
    assert robust[has, 14].min() > robust[~has].max()


@pytest.mark.parametrize("faulty", [1, 3, 5, 7])
def test_repeated_faults_up_to_the_share_outrank_every_normal_picture(faulty: int) -> None:
    tokens, has = _with_fault(24, faulty, seed=faulty)
    scores = mutual_scores_robust({1: tokens}, (1,)).max(axis=1)
    assert scores[has].min() > scores[~has].max()


def test_twins_of_a_faulty_picture_do_not_excuse_each_other(musc: dict[str, np.ndarray], seven) -> None:  # type: ignore[no-untyped-def]
    """The golden twins: the reference calls the doubled fault the most normal picture, the robust form does not."""
    twins = {layer: values.copy() for layer, values in seven.items()}
    one, other = (int(i) for i in musc["twin_defect.identical_images"])
    for values in twins.values():
        values[other] = values[one]
    assert musc["twin_defect.scores_before_rscin"].argmin() in (one, other)
    scores = mutual_scores_robust(twins).max(axis=1)
    assert set(np.argsort(scores)[-2:]) == {one, other}


def test_twins_count_once_for_the_others() -> None:
    """Twenty copies of one picture must not outvote the others: scores are those of a batch with a single copy."""
    tokens = _tokens(8)
    many = np.concatenate([tokens, np.repeat(tokens[:1], 20, axis=0)])
    alone = mutual_scores_robust({1: tokens}, (1,))
    np.testing.assert_allclose(mutual_scores_robust({1: many}, (1,))[:8], alone, atol=1e-6)


def test_twins_are_found_in_spite_of_compression_and_other_pictures_are_not() -> None:
    tokens = _tokens(4)
    noisy = tokens[1] + 0.01 * np.random.default_rng(5).normal(size=tokens[1].shape).astype(np.float32)
    groups = near_twins(np.concatenate([tokens, noisy[None], tokens[2][None, ::-1]]))
    assert groups.tolist() == [0, 1, 2, 3, 1, 5]


def test_two_pictures_suffice_for_the_robust_form() -> None:
    scores = mutual_scores_robust({1: _tokens(2)}, (1,))
    assert scores.shape == (2, SIDE * SIDE)
    assert np.isfinite(scores).all()


def test_the_robust_score_does_not_depend_on_the_batch_beyond_its_kind() -> None:
    """No stretching: an all-normal batch scores low throughout, beside one that holds a fault."""
    good = mutual_scores_robust({1: _tokens(12)}, (1,)).max()
    bad = mutual_scores_robust({1: _with_fault(12, 1)[0]}, (1,)).max()
    assert good < 0.8 * bad


def test_same_place_search_finds_swapped_parts() -> None:
    tokens = _tokens(9, noise=0.1)
    tokens[4, [7, 28]] = tokens[4, [28, 7]]
    anywhere = mutual_scores_robust({1: tokens}, (1,))[4]
    in_place = mutual_scores_robust({1: tokens}, (1,), aligned=1)[4]
    assert set(np.argsort(in_place)[-2:]) == {7, 28}
    assert anywhere[[7, 28]].max() < 0.5 * in_place[[7, 28]].min()


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda t: lnamd(t, 2), ConfigError, "no centre"),
        (lambda t: lnamd(t[:, :35], 1), InputError, "no square grid"),
        (lambda t: lnamd(t[0], 1), InputError, r"\(pictures, patches, width\)"),
        (lambda t: mutual_scores({}), InputError, "no layer"),
        (lambda t: mutual_scores({1: t, 2: t[:6]}), InputError, "disagree"),
        (lambda t: mutual_scores({1: t}, share=0), ConfigError, "share"),
        (lambda t: mutual_scores({1: t}, share=0.1), ConfigError, "give at least 0.167"),
        (lambda t: mutual_scores({1: t}, ()), ConfigError, "neighbourhoods is empty"),
        (lambda t: mutual_scores({1: np.where(t > 2, np.nan, t)}), InputError, "NaN or infinity"),
        (lambda t: mutual_scores_robust({1: t[:1]}), InputError, "two different pictures, got 1"),
        (lambda t: mutual_scores_robust({1: np.repeat(t[:1], 6, 0)}), InputError, "all alike"),
        (lambda t: mutual_scores_robust({1: t}, aligned=-1), ConfigError, "aligned"),
        (lambda t: rscin(np.ones(7), t[:, 0], [1]), InputError, "all scores are equal"),
        (lambda t: rscin(np.arange(7.0), t[:, 0], [8]), ConfigError, r"1\.\.7"),
        (lambda t: rscin(np.arange(6.0), t[:, 0], [1]), InputError, "class features"),
    ],
)
def test_bad_input_is_named(call, error: type[Exception], told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=told):
        call(_tokens(7))
