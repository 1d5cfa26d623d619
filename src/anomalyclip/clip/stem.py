"""Two ways from pixels to patch tokens: CLIP's patch embedding, or a convolutional stem."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.config import StemConfig


class ConvStem(nn.Module):
    """3x3 convolutions with ReLU in stages, max pooling between them; tapped stages are normalised and projected.

    Pretrained local features are what makes a small CLIP usable (GROUND, last section); VGG16's first blocks fit here.
    Input ``(B, 3, H, W)``; output ``(B, width, H / stride, W / stride)``.
    """

    def __init__(self, config: StemConfig, width: int) -> None:
        super().__init__()
        self.config = config
        stages, channels = [], 3
        for stage in config.stages:
            convolutions = []
            for out in stage:
                convolutions.append(nn.Conv2d(channels, out, 3, padding=1))
                channels = out
            stages.append(nn.ModuleList(convolutions))
        self.stages = nn.ModuleList(stages)
        # ReLU features differ in scale by stage; one LayerNorm over the concatenated channels makes them comparable.
        self.norm = nn.LayerNorm(config.out_channels)
        self.proj = nn.Linear(config.out_channels, width)
        if config.contrast:
            self.contrast = nn.Linear(config.out_channels, width, bias=False)

    def features(self, x: Tensor) -> Tensor:
        """The tapped convolutional features, (B, out_channels, h, w), before normalisation and projection."""
        x = x.contiguous(memory_format=torch.channels_last)
        tapped: list[Tensor] = []
        last = len(self.stages)
        for number, convolutions in enumerate(self.stages, start=1):
            if number > 1:
                x = F.max_pool2d(x, 2)
            for convolution in convolutions:  # type: ignore[attr-defined]
                x = F.relu(convolution(x), inplace=not torch.is_grad_enabled())
            if number in self.config.taps:
                factor = 2 ** (last - number)
                tapped.append(F.avg_pool2d(x, factor) if factor > 1 else x)
        return torch.cat(tapped, dim=1)

    def project(self, features: Tensor) -> Tensor:
        """Features (B, out_channels, h, w) to patch tokens (B, h * w, width)."""
        normed = self.norm(features.flatten(2).transpose(1, 2))
        tokens: Tensor = self.proj(normed)
        if self.config.contrast:
            tokens = tokens + self.contrast(deviation(normed))
        return tokens


def deviation(tokens: Tensor, floor: float = 0.5) -> Tensor:
    """How each token (B, N, C) deviates from the mean token of its image, per channel, in soft standard deviations.

    What is odd is odd within its image: the mean says what the material looks like. ``floor`` keeps the channels of a
    featureless image from blowing noise up.
    """
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + floor)
