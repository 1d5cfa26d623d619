"""The kernels of towers broken on purpose, for test_broken.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.native import test_targets as held


class Broken(NamedTuple):
    """file, right, wrong: what part of which line becomes what. kernel: the header that is compiled. check: the test
    that must fail, and passes with the sources as they are (test_targets.py)."""

    file: str
    right: str
    wrong: str
    kernel: str
    check: Callable[..., None]


small_tower = partial(held.test_a_tower_is_torchs, stem="small", height=24, width=40)
large_tower = partial(held.test_a_tower_is_torchs, stem="all kinds", height=72, width=168)

TOWERS = {
    "a tap of a filter is its neighbour": Broken(
        "stem_f32.h", "tap = x - i * stride;", "tap = x - i * stride + 1;", "tower_f32.h", small_tower
    ),
    "a picture is padded on the other side": Broken(
        "stem_f32.h", "total > 0 ? total / 2 : 0", "total > 0 ? (total + 1) / 2 : 0", "tower_f32.h", small_tower
    ),
    "a band's first rows are the latest": Broken(
        "stem_f32.h", "ring + at % f->held", "ring + (at + 1) % f->held", "tower_f32.h", large_tower
    ),
    "panels of a ring lie over each other": Broken(
        "stem_f32.h", "f.band < f.rows ? f.held * f.across * PANEL : 0", "0", "tower_f32.h", large_tower
    ),
    "what was is added twice": Broken(
        "stem_f32.h", "if (b->residual) batch", "batch", "tower_f32.h", small_tower
    ),
    "a deep product forgets its first part": Broken(
        "dense_f32.h", "(begins ? bias", "(1 ? bias", "tower_f32.h", large_tower
    ),
    "steps beyond the fours are left out": Broken(
        "gemm_f32.h", "k < depth; k++, panel", "k < depth - 1; k++, panel", "tower_f32.h", small_tower
    ),
    "an edge's rows begin at the tile's": Broken(
        "dense_f32.h", ".x = b->x + row * b->stride, .stride", ".x = b->x, .stride", "tower_f32.h", small_tower
    ),
    "a token is its own neighbour": Broken(
        "relations_f32.h", "if (!mirrored && i == y && j == x) continue;", "", "tower_f32.h", small_tower
    ),
    "a token is as near as itself": Broken(
        "relations_f32.h", "distance[token] = 1e9f;", "", "tower_f32.h", small_tower
    ),
    "deviations keep the mean": Broken(
        "tower_f32.h", "bias = fnma_of(scaled, splat(m->gathered.mean[k]), bias);", "", "tower_f32.h", small_tower
    ),
    "the local path feeds the original one": Broken(
        "tower_f32.h", "attended_own + first * width, local, count", "attended_own + first * width, x, count",
        "tower_f32.h", small_tower,
    ),
}  # fmt: skip
