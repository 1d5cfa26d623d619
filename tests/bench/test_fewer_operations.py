"""benchmarks/fewer_operations.py: with nothing switched on it is the plain model, and merging is what a loop gives."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from anomalyclip.detector import Detector
from anomalyclip.pretraining.validate import Labelled

FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def blocks() -> ModuleType:
    return benchmark("fewer_blocks")


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    return benchmark("fewer_operations")


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(2, 3, 70, 70, generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def features(blocks: ModuleType, tiny: Detector, pixels: torch.Tensor, **options: object) -> list[torch.Tensor]:
    tokens = tiny.encoder.visual.embed(pixels)
    found = blocks.encode(tiny.encoder.visual, tokens, tiny.settings.layers, blocks.Fewer(**options), dpam_blocks=4)
    return [found.image, *found.patches.values()]


@torch.inference_mode()
@pytest.mark.parametrize("dpam_blocks", [None, 0, 2])
def test_nothing_switched_on_is_the_model(blocks, tiny, pixels, dpam_blocks) -> None:
    expected = tiny.encoder.visual(pixels, layers=(2, 4, 6), dpam_blocks=4 if dpam_blocks is None else dpam_blocks)
    given = features(blocks, tiny, pixels, dpam_blocks=dpam_blocks)
    for ours, theirs in zip(given, [expected.image, *expected.patches.values()], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_every_option_changes_something(blocks, tiny, pixels) -> None:
    plain = features(blocks, tiny, pixels)
    image_only = {"plain_cell": 2}, {"mlp_cell": 2}, {"mlp_merged": 0.3}
    local_only = {"local_cell": 2}, {"local_every": 2}, {"local_every": 2, "skipped": "own value"}
    for options in (*image_only, *local_only, {"local_every": 2, "skipped": "reused"}):
        changed = features(blocks, tiny, pixels, **options)
        assert not torch.allclose(changed[-1], plain[-1], atol=1e-4), options
        if options in local_only:  # the local path never feeds back
            torch.testing.assert_close(changed[0], plain[0])


@pytest.mark.parametrize(("side", "cell"), [(4, 2), (5, 2), (5, 3), (7, 4)])
def test_cells_are_those_of_a_loop(blocks, side, cell) -> None:
    tokens = torch.randn(2, 3, 1 + side * side, 6, dtype=torch.float64)
    merged = blocks.merge_cells(tokens, cell)
    back = blocks.spread_cells(merged, cell, side)
    counts = blocks.log_counts(side, cell).exp().flatten()
    row = 0
    torch.testing.assert_close(merged[..., 0, :], tokens[..., 0, :])
    for top in range(0, side, cell):
        for left in range(0, side, cell):
            row += 1
            inside = [
                1 + y * side + x for y in range(top, min(top + cell, side)) for x in range(left, min(left + cell, side))
            ]
            torch.testing.assert_close(merged[..., row, :], tokens[..., inside, :].mean(dim=-2))
            assert counts[row].item() == pytest.approx(len(inside))
            for one in inside:
                torch.testing.assert_close(back[..., one, :], merged[..., row, :])
    assert merged.shape[-2] == 1 + row


@torch.inference_mode()
def test_averaged_keys_are_those_of_a_written_out_attention(blocks, tiny) -> None:
    """Softmax over a key that counts four times: written out with the averaged keys repeated for each token."""
    attn, side, cell = tiny.encoder.visual.transformer.resblocks[0].attn, 5, 2
    x = torch.randn(1, 1 + side * side, attn.in_proj_weight.shape[1])
    fewer = blocks.Fewer(plain_cell=cell, local_cell=cell, weighed=True)
    q, k, v, own = blocks._projections(attn, x, cell, dual=True)
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=blocks._counts(q, cell, True))
    whole = blocks._projections(attn, x, 1, dual=True)
    every = [blocks.spread_cells(blocks.merge_cells(each, cell), cell, side) for each in whole]
    torch.testing.assert_close(plain, written_out(whole[0], every[1], every[2]), rtol=1e-5, atol=1e-5)
    local = blocks._local(attn, own, fewer, attends=True, before=x)
    expected = attn.out_proj(written_out(whole[3], every[3], every[3]).transpose(1, 2).flatten(2))
    torch.testing.assert_close(local, expected, rtol=1e-5, atol=1e-5)
    single = blocks._projections(attn, x, cell, dual=False)  # values projected after averaging
    torch.testing.assert_close(single[2], v, rtol=1e-5, atol=1e-5)


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1) @ v


def test_groups_are_those_of_a_loop(blocks) -> None:
    tokens, merged = torch.randn(1, 11, 5, generator=torch.Generator().manual_seed(0)), 3
    groups = blocks.alike(tokens, merged)[0].tolist()
    unit = (tokens[0] / tokens[0].norm(dim=1, keepdim=True)).numpy()
    pairs = sorted((max((float(unit[e] @ unit[o]), o) for o in range(1, 11, 2)), e) for e in range(0, 11, 2))
    joined = {even: odd for (_, odd), even in pairs[-merged:]}
    for even in range(0, 11, 2):
        together = [other for other in range(11) if groups[other] == groups[even]]
        if even in joined:
            assert joined[even] in together
        else:
            assert together == [even]
    assert sorted(set(groups)) == list(range(11 - merged))
    means = blocks.merge_groups(tokens, torch.tensor([groups]), 11 - merged)[0].numpy()
    for group in range(11 - merged):
        expected = tokens[0, np.array(groups) == group].mean(dim=0).numpy()
        np.testing.assert_allclose(means[group], expected, rtol=1e-5, atol=1e-6)


def test_operations_left_are_those_of_a_formula(blocks, measuring) -> None:
    """Attention of N queries and M keys is 4 N M D operations, a projection of M tokens 2 M D^2."""
    whole = measuring.vit_l_gflop(518, blocks.Fewer())
    merged = measuring.vit_l_gflop(518, blocks.Fewer(plain_cell=2))
    tokens, left, width = 1 + 37**2, 1 + 19**2, 1024
    attention = 4 * (23 * tokens + 1) * (tokens - left) * width
    projections = (24 + 5) * 2 * (tokens - left) * width**2  # K everywhere, V where one path runs
    assert whole == pytest.approx(1183, abs=1)
    assert whole - merged == pytest.approx((attention + projections) / 1e9, rel=1e-6)


def test_aurocs_are_those_of_scikit_learn_on_the_images_drawn(measuring) -> None:
    rng = np.random.default_rng(5)
    labels = np.array([0, 1, 0, 1, 1, 0, 0])
    scores = rng.integers(0, 5, 7) / 5  # ties
    maps, masks = rng.random((7, 6, 6), dtype=np.float32), rng.random((7, 6, 6)) < 0.3
    draws = np.vstack([np.ones(7, dtype=np.int64), [2, 1, 0, 0, 3, 1, 0]])
    image = measuring.image_aurocs(scores.tolist(), labels, draws)
    pixel = measuring.pixel_aurocs([measuring.histogram(*pair) for pair in zip(maps, masks, strict=True)], draws)
    for row, draw in enumerate(draws):
        drawn = np.repeat(np.arange(7), draw)
        assert image[row] == pytest.approx(roc_auc_score(labels[drawn], scores[drawn]))
        assert pixel[row] == pytest.approx(roc_auc_score(masks[drawn].ravel(), maps[drawn].ravel()), abs=1e-3)
    assert image[0] != image[1]


def test_the_table_tells_changes_against_the_plain_model(measuring) -> None:
    masks = [np.full((4, 4), False), np.eye(4, dtype=bool)] * 4
    samples = [Labelled(Image.new("RGB", (4, 4)), index % 2, mask) for index, mask in enumerate(masks)]
    pixels = [measuring.histogram(0.2 + 0.6 * mask, mask) for mask in masks]
    seen = {
        measuring.BASE: measuring.Seen([0.1, 0.9] * 4, pixels),
        "K, V 2x2, both": measuring.Seen([0.1, 0.9] * 3 + [0.9, 0.1], pixels),
    }
    found = measuring.judged(samples, seen, resamples=20)
    variants = {name: measuring.VARIANTS[name] for name in seen}
    base, changed = table = measuring.rows(variants, {"one": found, "two": found})
    assert (base["image"]["mean"], base["image"]["interval"], base["vit_l_share"]) == (1, [0, 0], 1)
    lost = 3 * 0.5 + 3 * 0.5 + 1  # of 16 pairs: ties with the swapped two, and those two
    assert changed["image"]["change"] == pytest.approx(-lost / 16, abs=1e-4)
    assert (changed["pixel"]["mean"], changed["pixel"]["change"]) == (1, 0)
    text = measuring.markdown({"rows": table, "images": {"one": 8, "two": 8}})
    assert f"| K, V 2x2, both | 884 | 75% | {1 - lost / 16:.3f} | {-100 * lost / 16:+.1f} (" in text


def test_rows_are_kept_only_from_a_record_about_the_same_images(measuring, tmp_path: Path) -> None:
    about = {"weights_sha256": "a", "prompts_sha256": "b", "settings": {}, "images": {"wood": 3}, "resamples": 9}
    row = {"variant": "MLP 2x2, all", "new": False}
    (tmp_path / "old.json").write_text(json.dumps(about | {"rows": [row, {"variant": "192 px", "new": False}]}))
    record = about | {"rows": [{"variant": "MLP 2x2, all", "new": True}]}
    merged = measuring.with_rows_of(record, tmp_path / "old.json")["rows"]
    assert [(each["variant"], each["new"]) for each in merged] == [("192 px", False), ("MLP 2x2, all", True)]
    other = record | {"images": {"wood": 4}}
    assert measuring.with_rows_of(other, tmp_path / "old.json") == other
    assert measuring.with_rows_of(record, tmp_path / "none.json") == record
