"""The named recipes put together, against what the authors' code gives; places and copies against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from anomalyclip.encoders.base import EncoderFacts, Features, Stage
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.bank import Bank, make_bank
from anomalyclip.judges.memory.copies import poses, unposed
from anomalyclip.judges.memory.fusion import mixture_of, parts_of, raw_map
from anomalyclip.judges.memory.held_out import HeldOut
from anomalyclip.judges.memory.places import near_places
from anomalyclip.judges.memory.recipes import METHODS, NAMES
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.memory.source import Source, source_for
from anomalyclip.judges.memory.upsampling import upsampled, upsampled_by_corners

VIT = EncoderFacts("vit", "a" * 64, 14, 518, 24, 32, 16)
GRID = (6, 6)


def _bank(described: np.ndarray, source: Source) -> Bank:
    """Without the rounding to halves that a file asks for."""
    plain = Bank(described.reshape(-1, described.shape[-1]), *_owners(described), source)
    assert_allclose(make_bank(list(described), source=source).rows, plain.rows, atol=2e-3)
    return plain


def _owners(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pictures, patches = described.shape[:2]
    return np.repeat(np.arange(pictures), patches).astype(np.int32), np.tile(np.arange(patches), pictures).astype(
        np.int32
    )


def _seen(described: np.ndarray, words: np.ndarray, whole: float, grid: tuple[int, int] = GRID) -> Seen:
    return Seen(described, grid, np.zeros(len(described), np.float32), whole, words, whole)


def test_april_gan_sums_its_layers_and_adds_the_text_map(aprilgan: dict[str, np.ndarray]) -> None:
    source = source_for(VIT, "april-gan")
    assert (source.layers, source.widths) == ((6, 12, 18, 24), (32,) * 4)

    def described(which: str) -> np.ndarray:
        tokens = {layer: aprilgan[f"{which}_tokens_layer{layer}"][:, 1:] for layer in source.layers}
        return source.describe(Features(GRID, tokens=tokens))

    bank = _bank(described("reference"), source)
    for index, one in enumerate(described("query")):
        distances, _ = bank.distances(one, GRID)
        expected = sum(aprilgan[f"fewshot_grid_layer{layer}"][index] for layer in source.layers)
        assert_allclose(distances.reshape(GRID), expected, atol=1e-5)
        view = _seen(one, aprilgan["map_zeroshot"][index] / 4, float(aprilgan["image_score_zeroshot"][index]))
        found = raw_map(source, view, distances, 4.0, mixture_of(source))
        assert_allclose(12 * found, aprilgan["map_final"][index], atol=2e-5)
        score = parts_of(source, view, distances)[0]
        peak = aprilgan["map_final_max"][index] / 12
        assert score == pytest.approx((aprilgan["image_score_zeroshot"][index] + peak) / 2, abs=1e-5)


def test_winclip_averages_windows_and_patches(winclip: dict[str, np.ndarray]) -> None:
    source = source_for(VIT, "winclip+")
    features = Features(
        GRID,
        tokens={24: winclip["patch_features"]},
        windows={2: winclip["window2_features"], 3: winclip["window3_features"]},
    )
    described = source.describe(features)
    bank = _bank(described[:3], source)
    for index, one in enumerate(described[3:]):
        distances, _ = bank.distances(one, GRID)
        assert_allclose(distances.reshape(GRID), winclip["association_map"][index], atol=1e-5)
        words = upsampled(winclip["language_map"][index].astype(np.float32), (96, 96), 0)
        view = _seen(one, words, float(winclip["image_score_zeroshot"][index]))
        found = raw_map(source, view, distances, 4.0, mixture_of(source))
        assert_allclose(2 * found[::4, ::4], winclip["map_fewshot"][index], atol=2e-5)
        assert parts_of(source, view, distances)[0] == pytest.approx(winclip["image_score_fewshot"][index], abs=1e-5)


def test_anomalydino_takes_its_hottest_percent(anomalydino: dict[str, np.ndarray]) -> None:
    source = source_for(VIT, "anomalydino")
    grid = (12, 20)

    def described(which: str) -> np.ndarray:
        return source.describe(Features(grid, tokens={24: anomalydino[f"{which}_features"].reshape(-1, 240, 32)}))

    bank = _bank(described("reference"), source)
    for index, one in enumerate(described("query")):
        distances, _ = bank.distances(one, grid)
        assert_allclose(distances.reshape(grid), anomalydino["cosine_k1.patch_distances"][index], atol=1e-5)
        view = _seen(one, np.zeros((48, 80), np.float32), 0.5, grid)
        assert parts_of(source, view, distances)[0] == pytest.approx(
            anomalydino["cosine_k1.image_scores"][index], abs=1e-5
        )


def test_patchcore_pools_levels_and_takes_the_peak_of_squares(patchcore: dict[str, np.ndarray]) -> None:
    levels = {2: patchcore["levels.layer2"], 3: patchcore["levels.layer3"]}
    pooled = Source("stages", (2, 3), 3, "patchcore")
    width = max(level.shape[1] for level in levels.values())
    described = pooled.describe(Features((8, 8), stages=levels))
    assert described.shape == (len(levels[2]), 64, width)
    grid = np.moveaxis(patchcore["grid.features"], 1, -1).reshape(7, 36, 32)
    source = Source("tokens", (1,), 3, "patchcore")
    described = source.describe(Features(GRID, tokens={1: grid}))
    assert_allclose(described, patchcore["grid.locally_aware_p3"].reshape(7, 36, 32), atol=1e-5)
    references = described[:3]
    bank = Bank(references.reshape(-1, 32), *_owners(references), source)
    for index, one in enumerate(described[3:]):
        distances, _ = bank.distances(one, GRID)
        view = _seen(one, np.zeros((24, 24), np.float32), 0.5)
        expected = patchcore["official.image_scores_k1"][index]
        assert parts_of(source, view, distances)[0] == pytest.approx(expected, abs=2e-5)
    thinned = make_bank(list(references), source=source)
    assert np.bincount(thinned.pictures).tolist() == [3, 3, 3]  # a tenth of 36
    assert_allclose(thinned.rows, bank.rows.reshape(3, 36, 32)[thinned.pictures, thinned.places], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_leaving_a_picture_out_equals_a_memory_without_it(name: str) -> None:
    rng = np.random.default_rng(0)
    source = source_for(VIT, name)
    grid = (4, 5)
    tokens = {layer: rng.normal(size=(5, 20, 32)).astype(np.float32) for layer in source.layers}
    windows = {2: rng.normal(size=(5, 12, 16)), 3: rng.normal(size=(5, 6, 16))} if source.widths else {}
    described = source.describe(Features(grid, tokens=tokens, windows=windows))
    bank = make_bank(list(described), source=source)
    words = rng.random((16, 20), np.float32)
    for own in range(5):
        view = _seen(described[own], words, 0.3, grid)
        without = make_bank([one for number, one in enumerate(described) if number != own], source=source)
        expected, _ = without.distances(described[own], grid)
        held = HeldOut([view], bank, own)
        assert_allclose(held.distances()[0], expected, atol=1e-6)
        assert_allclose(held.parts()[0], parts_of(source, view, expected), rtol=1e-5)
        assert (held.distances()[0] > 1e-3).any()
        if name != "patchcore":  # which keeps a tenth of the patches
            assert_allclose(bank.distances(described[own], grid)[0], 0, atol=1e-5)


def test_sources_fit_the_encoder() -> None:
    stages = {3: Stage(48, 8), 4: Stage(88, 16), 5: Stage(120, 16), 6: Stage(208, 32)}
    pocket = replace(VIT, patch_size=16, layers=4, stages=stages)
    assert source_for(pocket) == Source("stages", (4, 5))
    assert source_for(pocket, "patchcore").layers == (3, 5)
    assert source_for(VIT, "patchcore") == Source("tokens", (12, 18), 3, "patchcore")
    assert source_for(VIT) == Source("tokens", (18,))
    assert source_for(replace(VIT, layers=2), "april-gan").layers == (1, 2)
    assert source_for(VIT, "winclip+").request.windows == (2, 3)
    with pytest.raises(ConfigError, match="april-gan"):
        source_for(VIT, "spade")
    with pytest.raises(ConfigError, match="leave --aligned out"):
        source_for(VIT, "winclip+", 1)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_places_equal_brute_force(height: int, width: int, radius: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patches, picture = (rng.normal(size=(height * width, 3)).astype(np.float32) for _ in range(2))
    squared, places = near_places(patches, picture, (height, width), radius)
    where = np.stack(np.unravel_index(np.arange(height * width), (height, width)), axis=1)
    far = cdist(where, where, "chebyshev") > radius
    every = np.where(far, np.inf, cdist(patches, picture, "sqeuclidean"))
    assert_allclose(squared, every.min(axis=1), rtol=1e-4, atol=1e-6)
    assert_array_equal(places, every.argmin(axis=1))


def test_an_aligned_memory_finds_what_lies_in_the_wrong_place() -> None:
    """Two patches swapped: anywhere, each has its twin; in their places, neither."""
    rng = np.random.default_rng(0)
    grid = (4, 5)
    part = unit(rng.normal(size=(20, 8)).astype(np.float32))
    good = [unit(part + 0.01 * rng.normal(size=(20, 8)).astype(np.float32)) for _ in range(4)]
    swapped = good[0].copy()
    swapped[[0, 19]] = swapped[[19, 0]]
    anywhere = make_bank(good, source=Source("tokens", (1,)))
    aligned = make_bank(good, most=20, source=Source("tokens", (1,), aligned=1))
    assert len(aligned.rows) == 80  # never thinned
    assert anywhere.distances(swapped, grid)[0].max() < 0.01
    distances, rows = aligned.distances(swapped, grid)
    assert set(np.flatnonzero(distances > 0.1)) == {0, 19}
    assert set(aligned.places[rows[[0, 19]]]) <= {0, 1, 5, 6, 13, 14, 18, 19}
    assert (distances >= anywhere.distances(swapped, grid)[0] - 1e-5).all()
    held = HeldOut([_seen(good[1], np.zeros((8, 10), np.float32), 0.2, grid)], aligned, 1)
    expected = np.min([near_places(good[1], bank, grid, 1)[0] / 2 for bank in (good[0], good[2], good[3])], axis=0)
    assert_allclose(held.distances()[0], expected, atol=2e-4)
    with pytest.raises(ConfigError, match="another grid"):
        aligned.distances(swapped[:10], (2, 5))


def test_poses_are_the_eight_of_a_square() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    found = poses(picture)
    assert_array_equal(found[0], picture)
    assert len({one.tobytes() + bytes(one.shape) for one in found}) == 8
    for one in found:  # turned and mirrored back, each is the picture: nothing is lost or made up
        assert any(np.array_equal(back, picture) for back in poses(one))
    assert all(sorted(one.ravel().tolist()) == sorted(picture.ravel().tolist()) for one in found)


def test_corners_lie_on_corners() -> None:
    torch = pytest.importorskip("torch")
    for shape, size in (((3, 5), (9, 20)), ((1, 4), (6, 6)), ((6, 6), (24, 24))):
        grid = np.random.default_rng(0).random(shape, np.float32)
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(grid)[None, None], size, mode="bilinear", align_corners=True
        )
        assert_allclose(upsampled_by_corners(grid, size), expected[0, 0].numpy(), atol=1e-6)


def test_every_recipe_says_where_it_stands() -> None:
    assert all("arXiv" in method.reference for method in METHODS.values())


@pytest.mark.parametrize("pose", range(8))
def test_patches_of_turned_copies_are_found_again_in_the_picture(pose: int) -> None:
    picture = np.random.default_rng(pose).integers(0, 256, (7, 11, 3), dtype=np.uint8)
    boxes = np.array([[1, 2, 3, 2], [0, 0, 1, 4], [4, 3, 2, 1]], np.int32)
    for (x, y, width, height), (left, top, wide, high) in zip(
        boxes, unposed(boxes, pose, (11, 7)).tolist(), strict=True
    ):
        shown = poses(picture)[pose][y : y + height, x : x + width]
        patch = picture[top : top + high, left : left + wide]
        assert_array_equal(poses(patch)[pose], shown)
