"""The convolutional stem: padding, grid, folding of finer and coarser stages, refusals."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from anomalyclip.clip.config import StemConfig, StemStage
from anomalyclip.clip.relations import relations
from anomalyclip.clip.stem import Convolution, ConvStem, InvertedResidual
from anomalyclip.errors import ConfigError

TINY = StemConfig(
    first=4,
    stages=(
        StemStage(kernel=3, stride=1, expand=1, channels=4, repeats=1),
        StemStage(kernel=3, stride=2, expand=2, channels=6, repeats=2),
        StemStage(kernel=5, stride=2, expand=2, channels=8, repeats=1),
        StemStage(kernel=3, stride=2, expand=2, channels=10, repeats=2),
    ),
    taps=(1, 2, 3, 4),
    stride=8,
)  # strides 2, 4, 8, 16


@pytest.fixture
def stem() -> ConvStem:
    torch.manual_seed(0)
    return ConvStem(TINY, 12).eval()


@pytest.mark.parametrize(
    ("side", "kernel", "before", "after"), [(8, 3, 0, 1), (9, 3, 1, 1), (8, 5, 1, 2), (7, 5, 2, 2)]
)
def test_strided_convolutions_pad_as_tensorflow_does(side: int, kernel: int, before: int, after: int) -> None:
    """The rule of TensorFlow's SAME: out = ceil(side / 2), and what is missing goes mostly to the end."""
    layer = Convolution(2, 3, kernel, stride=2)
    x = torch.randn(1, 2, side, side)
    padded = F.pad(x, (before, after, before, after))
    torch.testing.assert_close(layer(x), F.conv2d(padded, layer.conv.weight, layer.conv.bias, stride=2))
    assert layer(x).shape[-1] == -(-side // 2)


def test_inverted_residual_adds_its_input_only_where_shapes_allow() -> None:
    x = torch.randn(1, 4, 6, 6)
    for block, residual in (
        (InvertedResidual(4, 4, 3, 1, 2), True),
        (InvertedResidual(4, 5, 3, 1, 2), False),
        (InvertedResidual(4, 4, 3, 2, 2), False),
    ):
        assert block.widen is not None
        inner = F.relu6(block.filter(F.relu6(block.widen(x))))
        torch.testing.assert_close(block(x), block.narrow(inner) + (x if residual else 0))


@pytest.mark.parametrize(("side", "grid"), [(32, 4), (40, 5), (47, 5), (8, 1)])
def test_any_size_gives_a_grid_of_whole_cells(stem: ConvStem, side: int, grid: int) -> None:
    tokens, shape, _ = stem(torch.randn(2, 3, side, side))
    assert shape == (grid, grid)
    assert tokens.shape == (2, grid * grid, 12)
    assert torch.isfinite(tokens).all()


def test_tokens_are_the_taps_standardised_folded_and_projected(stem: ConvStem) -> None:
    with torch.no_grad():
        stem.mean.normal_()
        stem.deviation.uniform_(0.5, 2)
    x = torch.randn(1, 3, 32, 32)
    features = stem.features(x)
    assert [tuple(f.shape[1:]) for f in features] == [(4, 8, 8), (6, 8, 8), (8, 4, 4), (10, 2, 2)]
    tokens, _ = stem.project(features)

    values, start = [], 0
    for tap in features:
        stop = start + tap.shape[1]
        z = (tap - stem.mean[start:stop].view(-1, 1, 1)) / stem.deviation[start:stop].view(-1, 1, 1)
        values.append(z.clamp(-6, 6))
        start = stop
    row, column = 2, 1  # one token, by hand
    fine = [z[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1) for z in values[:2]]
    coarse = F.interpolate(values[3], size=(4, 4), mode="bilinear", align_corners=False)
    everything = torch.cat([*fine, values[2][0, :, row, column], coarse[0, :, row, column]])

    stacked = torch.cat([F.pixel_unshuffle(z, 2) for z in values[:2]] + [values[2], coarse], dim=1).flatten(2)[0].T
    torch.testing.assert_close(stacked[row * 4 + column], everything)
    centred = stacked - stacked.mean(0)
    contrast = centred / (centred.square().mean(0).sqrt() + 0.5)
    related = torch.cat(
        [relations(F.avg_pool2d(z, 2)) for z in values[:2]] + [relations(values[2]), relations(coarse)], -1
    )
    expected = stem.proj(stacked) + stem.contrast(contrast) + stem.relate(related[0])
    torch.testing.assert_close(tokens[0], expected)


@pytest.mark.parametrize("taps", [(), (0,), (5,), (2, 1), (2, 2), (4,)])
def test_taps_that_make_no_tokens_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="taps"):
        StemConfig(TINY.first, TINY.stages, taps, 8)
