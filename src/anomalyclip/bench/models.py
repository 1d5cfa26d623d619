"""What is measured: a model by name or path, or a true architecture with seeded random weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.vision import default_dpam_blocks
from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.opening import open_detector
from anomalyclip.settings import ModelSettings
from anomalyclip.settings.resolving import default_image_size

RANDOM = "random:"


def bench_model(name: str, *, image_size: int | None = None, layers: Sequence[int] | None = None) -> Detector:
    """``random:ARCHITECTURE`` or whatever :func:`anomalyclip.load` takes, on torch and the CPU.

    Raises:
        ConfigError: an unknown architecture. And what ``open_detector`` raises.
    """
    if not name.startswith(RANDOM):
        return open_detector(name, runtime="torch", device="cpu", image_size=image_size, layers=layers)
    return random_model(name.removeprefix(RANDOM), image_size=image_size, layers=layers)


def random_model(
    architecture: str, *, image_size: int | None = None, layers: Sequence[int] | None = None, seed: int = 0
) -> Detector:
    """The true architecture with seeded random weights and text embeddings: speed does not depend on the values.

    Its scores mean nothing, and its drift under quantisation says little about trained weights.
    """
    if architecture not in PRESETS:
        raise ConfigError(f"no architecture {architecture!r} to draw random weights for; known: {', '.join(PRESETS)}")
    config = PRESETS[architecture]
    visual = random_clip(config, seed).visual
    generator = torch.Generator().manual_seed(seed)
    features = torch.nn.functional.normalize(torch.randn(2, config.embed_dim, generator=generator), dim=-1)
    settings = ModelSettings(
        image_size=image_size or default_image_size(config.vision),
        layers=tuple(layers) if layers else (config.vision.layers,),
        dpam_blocks=default_dpam_blocks(config.vision.layers),
    )
    words = Words(TextEmbeddings(features.numpy(), "random", ""), settings)
    encoder = TorchEncoder(visual.requires_grad_(False), name=f"{RANDOM}{architecture}", weights_sha256="")
    return Detector(encoder, words, settings)
