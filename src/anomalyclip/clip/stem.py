"""A convolutional stem in place of CLIP's patch embedding: inverted residuals (EfficientNet-Lite fits here).

Pretrained local features are what makes a small CLIP usable (GROUND, last section).
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.config import StemConfig
from anomalyclip.clip.relations import CHANNELS, relations

_SPREAD = 6.0  # standardised features are cut at so many deviations, so that no outlier rules a token


class ConvStem(nn.Module):
    """Pixels (B, 3, H, W) to patch tokens (B, h * w, width), h = H // stride.

    Tapped stages are standardised per channel (statistics in ``mean`` and ``deviation``), brought to the token grid,
    and projected three times: as they are, as deviation from their image's mean patch, and as relations to the other
    patches (:mod:`anomalyclip.clip.relations`).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: StemConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.first = Convolution(3, config.first, 3, stride=2)
        stages, channels = [], config.first
        for stage in config.stages:
            blocks = []
            for index in range(stage.repeats):
                stride = stage.stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, stage.channels, stage.kernel, stride, stage.expand))
                channels = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.register_buffer("mean", torch.zeros(config.tapped_channels))
        self.register_buffer("deviation", torch.ones(config.tapped_channels))
        self.proj = nn.Linear(config.token_channels, width)
        self.contrast = nn.Linear(config.token_channels, width, bias=False)
        self.relate = nn.Linear(CHANNELS * len(config.taps), width, bias=False)

    def forward(
        self, pixel_values: Tensor, wanted: Collection[int] = ()
    ) -> tuple[Tensor, tuple[int, int], dict[int, Tensor]]:
        """Patch tokens, their grid (h, w), and the ``wanted`` stages as they are."""
        tapped, kept = self.with_stages(pixel_values, wanted)
        return *self.project(tapped), kept

    def features(self, pixel_values: Tensor) -> list[Tensor]:
        """The tapped stages, (B, C, h', w') each, the finest pooled to half the token stride."""
        return self.with_stages(pixel_values, ())[0]

    def with_stages(self, pixel_values: Tensor, wanted: Collection[int]) -> tuple[list[Tensor], dict[int, Tensor]]:
        """:meth:`features`, and the ``wanted`` stages (numbered from 1) as they are: {stage: (B, C, h', w')}."""
        stride = self.config.stride
        height, width = (side // stride * stride for side in pixel_values.shape[2:])
        x = pixel_values[..., :height, :width].contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.first(x))
        tapped, kept = [], {}
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x)
            if number in wanted:
                kept[number] = x
            if number in self.config.taps:
                excess = stride // 2 // self.config.stride_of(number)
                tapped.append(F.avg_pool2d(x, excess) if excess > 1 else x)
        return tapped, kept

    def project(self, features: list[Tensor]) -> tuple[Tensor, tuple[int, int]]:
        """Features of :meth:`features` to patch tokens (B, h * w, width) and their grid."""
        finest = features[0]
        factor = self.config.cells_of(self.config.taps[0])
        grid = (finest.shape[2] // factor, finest.shape[3] // factor)
        folded, related = [], []
        for values, tap in zip(self._standardise(features), self.config.taps, strict=True):
            cells = self.config.cells_of(tap)
            folded.append(F.pixel_unshuffle(values, cells) if cells > 1 else _resize(values, grid))
            related.append(relations(F.avg_pool2d(values, cells) if cells > 1 else folded[-1]))
        tokens = torch.cat(folded, dim=1).flatten(2).transpose(1, 2)
        out = self.proj(tokens) + self.contrast(_centred(tokens)) + self.relate(torch.cat(related, dim=-1))
        return out, grid

    def _standardise(self, features: list[Tensor]) -> list[Tensor]:
        sizes = [values.shape[1] for values in features]
        means, deviations = torch.split(self.mean, sizes), torch.split(self.deviation, sizes)
        return [
            ((values - mean[:, None, None]) / deviation[:, None, None]).clamp(-_SPREAD, _SPREAD)
            for values, mean, deviation in zip(features, means, deviations, strict=True)
        ]


class Convolution(nn.Module):
    """A convolution padded as TensorFlow's SAME does, which the pretrained weights were learned with."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            rows, columns = (_same_padding(side, self.kernel, self.stride) for side in x.shape[2:])
            x = F.pad(x, (*columns, *rows))
        out: Tensor = self.conv(x)
        return out


class InvertedResidual(nn.Module):
    """Widen (1x1), filter each channel (k x k), narrow (1x1, linear); batch norms are folded into the convolutions."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        self.widen = Convolution(inputs, inner, 1) if expand > 1 else None
        self.filter = Convolution(inner, inner, kernel, stride=stride, groups=inner)
        self.narrow = Convolution(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.widen is None else F.relu6(self.widen(x))
        out: Tensor = self.narrow(F.relu6(self.filter(inner)))
        return x + out if self.residual else out


def _same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _resize(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    if (maps.shape[2], maps.shape[3]) == grid:
        return maps
    return F.interpolate(maps, size=grid, mode="bilinear", align_corners=False)


def _centred(tokens: Tensor, floor: float = 0.5) -> Tensor:
    """How each token (B, N, C) deviates from the mean token of its image, per channel, in soft standard deviations.

    ``floor`` keeps the channels of a featureless image from blowing noise up.
    """
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + floor)
