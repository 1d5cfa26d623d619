"""Relations of patches: against loops over patches, and what mirroring must do to them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from anomalyclip.clip.relations import CHANNELS, TEMPERATURES, relations


def maps(height: int = 4, width: int = 5, channels: int = 6) -> torch.Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(4))


def brute_force(features: np.ndarray) -> np.ndarray:
    """(h * w, 6) raw relations of one image (C, h, w), one pair of patches at a time."""
    _, h, w = features.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    vectors = [features[:, y, x] / np.linalg.norm(features[:, y, x]) for y, x in cells]
    distance = [[1 - float(a @ b) for b in vectors] for a in vectors]

    def soft(values: list[float], t: float) -> float:
        return -t * math.log(sum(math.exp(-v / t) for v in values) / len(values))

    rows = []
    for i, (y, x) in enumerate(cells):
        others = [distance[i][j] for j in range(len(cells)) if j != i]
        near = [distance[i][j] for j, (v, u) in enumerate(cells) if j != i and max(abs(v - y), abs(u - x)) <= 2]
        mirror = [distance[i][j] for j, (v, u) in enumerate(cells) if abs(v - y) <= 1 and abs(u - (w - 1 - x)) <= 1]
        row = [soft(others, t) for t in TEMPERATURES]
        rows.append([*row, sum(distance[i]) / len(cells), sum(near) / len(near), soft(mirror, TEMPERATURES[1])])
    return np.array(rows)


def test_equal_to_loops_over_pairs() -> None:
    features = maps()
    got = relations(features)
    assert got.shape == (2, 20, CHANNELS)
    for image, row in zip(features.double().numpy(), got.numpy(), strict=True):
        expected = brute_force(image)
        np.testing.assert_allclose(row[:, : CHANNELS // 2], expected, atol=1e-5)
        relative = (expected - expected.mean(0)) / (expected.std(0) + 0.02)
        np.testing.assert_allclose(row[:, CHANNELS // 2 :], relative, atol=1e-3)


@pytest.mark.parametrize("axis", [2, 3])
def test_a_mirrored_image_has_mirrored_relations(axis: int) -> None:
    features = maps()
    grid = relations(features).unflatten(1, (4, 5))
    torch.testing.assert_close(relations(features.flip(axis)).unflatten(1, (4, 5)), grid.flip(axis - 1))


def test_the_odd_patch_is_the_loneliest() -> None:
    features = torch.ones(1, 8, 6, 6) + 0.01 * torch.randn(1, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    features[0, :4, 2, 3] = -1.0
    found = relations(features)[0, :, : CHANNELS // 2]
    assert (found.argmax(dim=0) == 2 * 6 + 3).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 3)])
def test_tiny_grids_are_finite(size: tuple[int, int]) -> None:
    assert torch.isfinite(relations(torch.ones(1, 3, *size))).all()


def test_what_inference_caches_training_can_use() -> None:
    features = maps(3, 7)
    with torch.inference_mode():
        found = relations(features)
    trained = relations(features.clone().requires_grad_())
    torch.testing.assert_close(trained, found.clone())
    trained.sum().backward()  # saves the window's cells for backward: refused where they were inference tensors
