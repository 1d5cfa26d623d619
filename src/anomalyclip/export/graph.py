"""The one graph an export holds: an image in; score and anomaly map, features or both out. No text tower."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from anomalyclip.detector import Detector
from anomalyclip.encoders.base import Features
from anomalyclip.encoders.graph_io import Pixels, outputs_of
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder, see
from anomalyclip.errors import ConfigError
from anomalyclip.judges.words import Words
from anomalyclip.judges.words_torch import verdict_tensors


class DetectorGraph(nn.Module):
    """Images to the outputs of :func:`outputs_of`, float32: METHOD sections 2 to 5, less the resize.

    Args:
        model: what is exported; it is not changed.
        pixels: the input, see :data:`anomalyclip.encoders.graph_io.Pixels`.
        gives: what comes out; None is the verdict alone.
        half: compute the encoder in float16. Normalisation, softmax and Gaussian stay in float32.

    Raises:
        ConfigError: the model does not run on torch, or a verdict of another judge than words is asked for.
    """

    scale: Tensor
    shift: Tensor
    text: Tensor
    local: Tensor | None

    def __init__(
        self, model: Detector, pixels: Pixels = "uint8", *, gives: FeatureRequest | None = None, half: bool = False
    ) -> None:
        super().__init__()
        encoder, judge = model.encoder, model.judge
        self.gives = FeatureRequest(verdict=True) if gives is None else gives
        if not isinstance(encoder, TorchEncoder):
            raise ConfigError(f"only a model on torch can be exported, not one on {encoder.runtime}")
        self.request = replace(self.gives, verdict=False)
        if self.gives.verdict:
            if not isinstance(judge, Words):
                raise ConfigError(
                    f"the judge of {judge.method} stays outside of graphs: they hold scores and maps of words and of "
                    "heads alone. Export the model with other prompts"
                )
            self.request = self.request | judge.needs(encoder)
            self.register_buffer("text", torch.from_numpy(judge.text.features.copy()))
            self.register_buffer("local", None if judge.local is None else torch.from_numpy(judge.local.copy()))
            self.readout = judge.readout
        self.visual = copy.deepcopy(encoder.visual).half() if half else encoder.visual
        self.settings = model.settings
        self.dtype = torch.float16 if half else torch.float32
        self.pixels, self.side = pixels, model.image_size
        self.outputs = outputs_of(self.gives)
        how = encoder.facts.preprocessing
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (how.mean, how.std))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", mean / std)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        pixel_values = images
        if self.pixels == "uint8":
            pixel_values = images.permute(0, 3, 1, 2).to(torch.float32) * self.scale - self.shift
        features = see(self.visual, pixel_values.to(self.dtype), self.request)
        features = features if self.dtype is torch.float32 else features.map(Tensor.float)
        verdict: tuple[Tensor, ...] = ()
        if self.gives.verdict:
            size = (self.side, self.side)
            verdict = verdict_tensors(features, self.text, self.settings, size, self.local, self.readout)
        return *verdict, *_flat(features, self.gives)

    def example(self, batch: int = 2) -> Tensor:
        """Images of the right shape; a batch of 2 keeps exporters from taking the batch for a constant 1."""
        if self.pixels == "uint8":
            return torch.zeros(batch, self.side, self.side, 3, dtype=torch.uint8)
        return torch.zeros(batch, 3, self.side, self.side)


def _flat(features: Features, gives: FeatureRequest) -> list[Tensor]:
    """In the order of :func:`outputs_of`."""
    groups = ("patches", "tokens", "stages", "windows", "summaries")
    found = [features.image] if gives.image else []
    return found + [getattr(features, kind)[number] for kind in groups for number in getattr(gives, kind)]
