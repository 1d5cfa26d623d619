"""AUPRO: against a brute-force curve written from the definition, and the authors' procedure restated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.metrics import AUPRO, PixelMetrics, aupro, auroc, average_precision, f1_max
from anomalyclip.metrics.regions import label_regions, region_weights

MakeMaps = Callable[..., tuple[np.ndarray, np.ndarray]]
Reference = Callable[..., float]
FOUR = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


@pytest.mark.parametrize("levels", [None, 5, 40])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_definition(
    make_maps: MakeMaps, brute_force_aupro: Reference, seed: int, limit: float, levels: int | None
) -> None:
    maps, masks = make_maps(seed, levels=levels)
    assert aupro(maps, masks, fpr_limit=limit) == pytest.approx(brute_force_aupro(maps, masks, limit), abs=1e-9)


@settings(max_examples=60)
@given(
    scores=st.lists(st.integers(0, 6), min_size=20, max_size=20),
    labels=st.lists(st.booleans(), min_size=18, max_size=18),
    limit=st.sampled_from([0.1, 0.3, 0.77, 1.0]),
)
def test_equals_the_definition_on_tiny_maps_full_of_ties(
    brute_force_aupro: Reference, scores: list[int], labels: list[bool], limit: float
) -> None:
    maps = np.array(scores, np.float64).reshape(2, 2, 5)
    masks = np.array([True, False, *labels]).reshape(2, 2, 5)
    assert aupro(maps, masks, fpr_limit=limit) == pytest.approx(brute_force_aupro(maps, masks, limit), abs=1e-9)


def test_connectivity(make_maps: MakeMaps, brute_force_aupro: Reference) -> None:
    maps, masks = make_maps(2)
    masks &= np.random.default_rng(0).random(masks.shape) < 0.6  # torn regions that touch at corners
    eight, four = aupro(maps, masks), aupro(maps, masks, connectivity=4)
    assert four == pytest.approx(brute_force_aupro(maps, masks, structure=FOUR), abs=1e-9)
    assert eight == pytest.approx(brute_force_aupro(maps, masks), abs=1e-9)
    assert abs(four - eight) > 1e-3


@pytest.mark.parametrize("connectivity", [4, 8])
def test_regions_equal_scipys(connectivity: Any) -> None:
    mask = np.random.default_rng(4).random((40, 55)) < 0.4
    expected, count = ndimage.label(mask, structure=np.ones((3, 3)) if connectivity == 8 else FOUR)
    labels = label_regions(mask, connectivity)
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == count + 1  # one-to-one, background included
    assert region_weights(mask, connectivity).sum() == pytest.approx(count)


def test_region_weights_follow_row_major_order() -> None:
    mask = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1]], dtype=bool)
    np.testing.assert_allclose(region_weights(mask), [1, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reference_variant_equals_the_authors_procedure(
    make_maps: MakeMaps, authors_pro: Reference, seed: int, dtype: type
) -> None:
    maps, masks = make_maps(seed)
    maps = (1.7 * maps + 0.2).astype(dtype)
    expected = authors_pro(maps, masks)
    assert aupro(maps, masks, variant="reference") == pytest.approx(expected, abs=1e-9)
    assert aupro(maps, masks, variant="reference") != pytest.approx(aupro(maps, masks), abs=1e-6)
    streaming = AUPRO(variant="reference", mode="streaming", score_range=(0.0, 2.0))
    streaming.update(maps, masks)
    assert streaming.compute() == pytest.approx(expected, abs=2e-3)


def test_reference_variant_with_ties_and_another_limit(make_maps: MakeMaps, authors_pro: Reference) -> None:
    maps, masks = make_maps(5, levels=30)
    for limit in (0.2, 0.6):
        value = aupro(maps, masks, variant="reference", fpr_limit=limit)
        assert value == pytest.approx(authors_pro(maps, masks, limit), abs=1e-9)


def test_perfect_inverted_and_constant_maps() -> None:
    masks = np.zeros((2, 6, 6), bool)
    masks[1, 2:4, 2:4] = True
    assert aupro(20 + 10 * masks.astype(np.float32), masks) == 1.0
    assert aupro(-masks.astype(np.float32), masks) == 0.0
    assert aupro(np.ones(masks.shape), masks) == pytest.approx(0.15)  # the diagonal: mean PRO over [0, 0.3]
    assert aupro(np.ones(masks.shape), masks, fpr_limit=1.0) == pytest.approx(0.5)
    assert np.isnan(aupro(np.ones(masks.shape), masks, variant="reference"))
    assert np.isnan(aupro(20 + 10 * masks.astype(np.float32), masks, variant="reference"))  # no FPR but 0 below 0.3


def test_one_region_and_no_limit_is_auroc(make_maps: MakeMaps) -> None:
    maps, masks = make_maps(6, count=2, levels=9)
    labels = label_regions(masks[1])
    masks[1] = labels == np.argmax(np.bincount(labels[labels > 0]))
    assert aupro(maps, masks, fpr_limit=1.0) == pytest.approx(auroc(maps, masks), abs=1e-12)


def test_regions_count_the_same_whatever_their_size() -> None:
    maps, masks = np.zeros((1, 10, 10)), np.zeros((1, 10, 10), bool)
    masks[0, :6, :6] = True
    masks[0, 9, 9] = True
    maps[0, 9, 9] = 1.0  # the small one is found, the large one ties with everything normal
    assert aupro(maps, masks) == pytest.approx(0.5 + 0.5 * 0.15)


@pytest.mark.parametrize("target", [0, 1])
def test_undefined_without_regions_or_without_normal_pixels(target: int) -> None:
    maps, masks = np.random.default_rng(0).random((2, 4, 4)), np.full((2, 4, 4), target)
    for variant in ("exact", "reference"):
        metric = AUPRO(variant=variant)  # type: ignore[arg-type]
        assert np.isnan(metric.compute())
        metric.update(maps, masks)
        assert np.isnan(metric.compute())
    assert metric.undefined_reason() == ("there are no anomalous samples", "there are no normal samples")[target]
    assert np.isnan(aupro(np.empty((0, 4, 4)), np.empty((0, 4, 4))))


def test_increasing_transforms_change_nothing(make_maps: MakeMaps) -> None:
    maps, masks = make_maps(7, levels=25)
    maps = maps.astype(np.float64)
    assert aupro(np.exp(4 * maps) - 9, masks) == aupro(maps, masks)


@pytest.mark.parametrize("levels", [None, 11])
@pytest.mark.parametrize("bins", [4, 64, 1024, 65_536])
@pytest.mark.parametrize("limit", [0.07, 0.3])
def test_streaming_stays_within_its_error_bound(
    make_maps: MakeMaps, bins: int, limit: float, levels: int | None
) -> None:
    for seed in range(5):
        maps, masks = make_maps(seed, levels=levels)
        metric = AUPRO(mode="streaming", bins=bins, fpr_limit=limit)
        metric.update(maps, masks)
        error = abs(metric.compute() - aupro(maps, masks, fpr_limit=limit))
        assert error <= metric.error_bound() + 1e-12
        if levels is None:  # genuine ties look like unresolved pairs to the bound
            assert metric.error_bound() < (1.01 if bins < 1024 else 0.02 if bins < 65_536 else 1e-3)
    exact = AUPRO()
    exact.update(maps, masks)
    assert exact.error_bound() == 0.0


def test_weights_follow_their_pixels_across_chunks(make_maps: MakeMaps, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, masks = make_maps(3)
    whole, chunked = AUPRO(mode="streaming"), AUPRO(mode="streaming")
    whole.update(maps, masks)
    monkeypatch.setattr("anomalyclip.metrics.histogram.CHUNK", 100)
    chunked.update(maps, masks)
    assert chunked.compute() == pytest.approx(whole.compute(), abs=1e-12)


@pytest.mark.parametrize("mode", ["exact", "streaming"])
@pytest.mark.parametrize("variant", ["exact", "reference"])
def test_batches_and_merging_equal_one_pass(make_maps: MakeMaps, mode: Any, variant: Any) -> None:
    maps, masks = make_maps(8, count=6)
    whole, first, second = (AUPRO(mode=mode, variant=variant) for _ in range(3))
    whole.update(maps, masks)
    second.update(maps[4:], masks[4:])
    second.compute()
    for index in range(4):
        first.update(maps[index], masks[index])
    first.compute()
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute(), abs=1e-12)


def test_every_form_of_the_same_maps(make_maps: MakeMaps) -> None:
    maps, masks = make_maps(9)
    expected = aupro(maps, masks)
    assert aupro(maps[:, None], masks[:, None]) == expected
    assert aupro(maps, masks[:, None]) == expected
    assert aupro(torch.from_numpy(maps), torch.from_numpy(masks).int()) == expected
    assert aupro(list(maps), list(masks)) == expected
    assert aupro([torch.from_numpy(one) for one in maps], masks) == expected
    assert aupro(maps.tolist(), masks.tolist()) == expected
    assert aupro([maps[:2], maps[2:]], [masks[:2], masks[2:]]) == expected
    assert isinstance(expected, float)


def test_maps_of_different_sizes(brute_force_aupro: Reference, make_maps: MakeMaps) -> None:
    (small, small_masks), (large, large_masks) = make_maps(10, size=16), make_maps(11, size=24)
    mixed = aupro([*small, *large], [*small_masks, *large_masks])
    streaming = AUPRO(mode="streaming", bins=2**22)
    streaming.update([*small, *large], [*small_masks, *large_masks])
    assert streaming.compute() == pytest.approx(mixed, abs=1e-5)
    # padding with normal pixels of the lowest score changes only the FPR's denominator
    padded, padded_masks = np.full((8, 24, 24), -1.0), np.zeros((8, 24, 24), bool)
    padded[:4, :16, :16], padded_masks[:4, :16, :16] = small, small_masks
    padded[4:], padded_masks[4:] = large, large_masks
    normals, padding = (~small_masks).sum() + (~large_masks).sum(), 4 * (24 * 24 - 16 * 16)
    expected = brute_force_aupro(padded, padded_masks, 0.3 * normals / (normals + padding))
    assert mixed == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("preds", "target", "error", "message"),
    [
        (np.zeros(4), np.zeros(4), InputError, r"shape \(4,\)"),
        (np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3, 3)), InputError, r"\(B, 1, H, W\)"),
        (np.zeros((2, 3, 3)), np.zeros((3, 3)), InputError, "must be equal"),
        (np.full((3, 3), np.nan), np.zeros((3, 3)), InputError, "9 of 9 scores are NaN"),
    ],
)
def test_bad_input_is_named(preds: Any, target: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        aupro(preds, target)


@pytest.mark.parametrize(
    "settings_", [{"fpr_limit": 0.0}, {"fpr_limit": 1.2}, {"variant": "fast"}, {"connectivity": 6}]
)
def test_bad_settings_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings_))):
        AUPRO(**settings_)


def test_pixel_metrics_in_one_pass(make_maps: MakeMaps) -> None:
    maps, masks = make_maps(12, levels=64)
    expected = {
        "pixel_auroc": auroc(maps, masks),
        "pixel_ap": average_precision(maps, masks),
        "pixel_f1_max": f1_max(maps, masks),
        "aupro": aupro(maps, masks),
    }
    for mode in ("exact", "streaming"):
        metrics, other = PixelMetrics(mode=mode), PixelMetrics(mode=mode)  # type: ignore[arg-type]
        assert metrics.undefined_reason() == "there are no samples"
        metrics.update(maps[:1], masks[:1])
        other.update(maps[1:], masks[1:])
        metrics.merge(other)
        assert metrics.compute() == pytest.approx(expected, abs=1e-12)
        assert metrics.undefined_reason() is None
        metrics.reset()
        assert all(np.isnan(value) for value in metrics.compute().values())


def test_reference_thresholds_are_compared_exactly_in_mixed_precision(
    make_maps: MakeMaps, authors_pro: Reference
) -> None:
    """float32 maps on the very values where the float64 thresholds fall: rounding one of them moves a whole group."""
    _, masks = make_maps(13)
    maps = (np.random.default_rng(0).integers(0, 201, masks.shape) / 200).astype(np.float32)
    assert aupro(maps, masks, variant="reference") == pytest.approx(authors_pro(maps, masks), abs=1e-9)
