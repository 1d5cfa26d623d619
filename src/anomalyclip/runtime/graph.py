"""The one graph an export holds: an image in, score and anomaly map out; prompts are constants, no text tower."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from anomalyclip.clip.vision import VisionFeatures
from anomalyclip.data.transforms import MEAN, STD
from anomalyclip.model import AnomalyCLIP
from anomalyclip.runtime.graph_io import Pixels


class DetectorGraph(nn.Module):
    """Images to scores (B,) and maps (B, S, S), float32 in [0, 1]: METHOD sections 2 to 5, less the resize.

    Args:
        model: what is exported; it is not changed.
        pixels: the input, see :data:`anomalyclip.runtime.graph_io.Pixels`.
        half: compute the encoder in float16. Normalisation, softmax and Gaussian stay in float32.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, model: AnomalyCLIP, pixels: Pixels = "uint8", *, half: bool = False) -> None:
        super().__init__()
        self.model = _halved(model) if half else model
        self.dtype = torch.float16 if half else torch.float32
        self.pixels = pixels
        self.side = model.image_size
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", mean / std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixel_values = images
        if self.pixels == "uint8":
            pixel_values = images.permute(0, 3, 1, 2).to(torch.float32) * self.scale - self.shift
        found = self.model.encode(pixel_values.to(self.dtype))
        features = VisionFeatures(found.image.float(), {layer: p.float() for layer, p in found.patches.items()})
        scores, maps = self.model.judge(features, (self.side, self.side))
        return scores, maps

    def example(self, batch: int = 2) -> Tensor:
        """Images of the right shape; a batch of 2 keeps exporters from taking the batch for a constant 1."""
        if self.pixels == "uint8":
            return torch.zeros(batch, self.side, self.side, 3, dtype=torch.uint8)
        return torch.zeros(batch, 3, self.side, self.side)


def _halved(model: AnomalyCLIP) -> AnomalyCLIP:
    """A copy whose encoder computes in float16; the text embeddings stay in float32."""
    shallow = copy.copy(model)
    shallow._modules = {**model._modules, "visual": copy.deepcopy(model.visual).half()}
    return shallow
