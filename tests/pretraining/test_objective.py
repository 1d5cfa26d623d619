"""The terms of pretraining's loss, against loops and limits."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

from anomalyclip.pretraining import objective


def test_anchors_are_orthonormal() -> None:
    states = objective.anchors(10)
    torch.testing.assert_close(states @ states.T, torch.eye(2))


def test_contrast_counts_equal_words_as_partners() -> None:
    """Symmetric InfoNCE in loops; the last text has no image of its own and is a negative only."""
    torch.manual_seed(0)
    images, texts = torch.randn(3, 4), F.normalize(torch.randn(4, 4), dim=-1)
    image_words, text_words = ["a", "b", "a"], ["a", "b", "a", "c"]
    got = objective.contrastive(images, texts, image_words, text_words, torch.tensor(5.0))
    logits = (5 * F.normalize(images, dim=-1) @ texts.T).double().numpy()

    def entropy(row: np.ndarray, partners: list[int]) -> float:
        log = row - math.log(sum(math.exp(v) for v in row))
        return -sum(log[j] for j in partners) / len(partners)

    rows = [entropy(logits[i], [j for j, w in enumerate(text_words) if w == image_words[i]]) for i in range(3)]
    columns = [entropy(logits[:, j], [i for i, w in enumerate(image_words) if w == text_words[j]]) for j in range(3)]
    assert abs(float(got) - (np.mean(rows) + np.mean(columns)) / 2) < 1e-5


def test_pixel_loss_wants_the_mask() -> None:
    regions = torch.zeros(2, 16, 16, dtype=torch.uint8)
    regions[0, 4:12, 4:8] = 1
    cells = F.avg_pool2d((regions > 0).float().unsqueeze(1), 4)
    right = objective._pixel_loss(20 * (2 * (cells > 0.3).float() - 1), regions)
    assert right < 0.3
    for wrong in (torch.zeros_like(cells), torch.full_like(cells, -20.0), torch.full_like(cells, 20.0)):
        assert objective._pixel_loss(wrong, regions) > right + 0.3


def test_top_loss_looks_at_the_hottest_patches_only() -> None:
    contrast = torch.full((2, 1, 10, 10), -3.0)
    contrast[1, 0, 5, 2:6] = 7.0
    expected = F.binary_cross_entropy_with_logits(torch.tensor([-3.0, 7.0]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(objective._top_loss(contrast, torch.tensor([0, 1])), expected)


def test_calm_wants_normal_images_alike_and_leaves_damaged_ones_alone() -> None:
    contrast = torch.full((3, 1, 10, 10), -3.0)
    contrast[1, 0, 5, 2:6] = 7.0
    alone = objective._calm_loss(contrast, torch.tensor([0, 1, 0]))
    apart = objective._calm_loss(contrast, torch.tensor([0, 0, 1]))
    assert float(alone) == 0.0
    torch.testing.assert_close(apart, torch.tensor([-3.0, 7.0]).var())
    assert float(objective._calm_loss(contrast, torch.tensor([1, 0, 1]))) == 0.0
