"""VAND's trained part: one linear layer per stage, and its file (safetensors with metadata and backbone hash)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anomalyclip.errors import PromptError
from anomalyclip.io.json_objects import whole_number
from anomalyclip.prompts.backbone import Backbone
from anomalyclip.prompts.bounded import header_texts, read_bounded, write_file
from anomalyclip.prompts.metadata import LINEAR_KEY, PromptMetadata

FORMAT_VERSION = 1


class LinearLayers(nn.Module):
    """Patch tokens of each stage (B, N, D) to the shared embedding (B, N, E).

    Args:
        stages: how many. width: D. embed_dim: E. seed: of the initial values (PyTorch's own for a linear layer).
    """

    def __init__(self, stages: int, width: int, embed_dim: int, seed: int = 111) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, embed_dim) for _ in range(stages))
        generator, bound = torch.Generator().manual_seed(seed), 1 / math.sqrt(width)
        with torch.no_grad():
            for parameter in self.parameters():  # both are drawn from U(-1/sqrt(D), 1/sqrt(D))
                parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        """One (B, N, E) per stage."""
        return [layer(stage) for layer, stage in zip(self.layers, tokens, strict=True)]

    def learned(self) -> dict[str, Tensor]:
        """Detached float32 CPU copies of the weights and biases by name."""
        return {name: value.detach().float().cpu().clone() for name, value in self.named_parameters()}

    @torch.no_grad()
    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite them. Raises :class:`PromptError` where names or shapes differ."""
        own = dict(self.named_parameters())
        wrong = sorted(set(own) ^ set(tensors)) or [name for name in own if tensors[name].shape != own[name].shape]
        if wrong:
            raise PromptError(
                f"the linear layers do not fit this model: {', '.join(wrong)} missing or of another shape"
            )
        for name, value in own.items():
            value.copy_(tensors[name])


@dataclass(frozen=True, eq=False)
class LinearFile:
    """Trained linear layers and everything needed to use them.

    Attributes:
        ensemble: the hand-written prompts they were trained against, filled with each class's name.
        metadata: backbone and its hash, stages (``layers``), image size, temperature, training.
        tensors: ``layers.<k>.weight`` (E, D) and ``layers.<k>.bias`` (E,), float32.
        path: where it was read from, for messages.

    Raises:
        PromptError: a tensor is missing, misshaped or not finite.
    """

    ensemble: str
    metadata: PromptMetadata
    tensors: Mapping[str, Tensor]
    path: str | None = None

    def __post_init__(self) -> None:
        stages = self.metadata.layers or ()
        wanted = {f"layers.{k}.{name}" for k in range(len(stages)) for name in ("weight", "bias")}
        odd = sorted(wanted ^ set(self.tensors)) or [
            name
            for name, value in self.tensors.items()
            if not value.is_floating_point() or value.dim() != 1 + name.endswith("weight") or not value.isfinite().all()
        ]
        if odd or not stages:
            raise PromptError(
                f"the linear layers in {self.path or 'this file'} do not fit their {len(stages)} stages:"
                f" {', '.join(odd) or 'none named'}; the file is damaged or was written by other software"
            )

    @cached_property
    def sha256(self) -> str:
        """Hash of what decides the scores."""
        digest = hashlib.sha256(json.dumps([self.ensemble, self.metadata.layers]).encode())
        for name in sorted(self.tensors):
            values = self.tensors[name].float().contiguous().numpy().astype("<f4")
            digest.update(f"\n{name}{list(values.shape)}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def build(self) -> LinearLayers:
        """The layers, holding these weights."""
        embed_dim, width = self.tensors["layers.0.weight"].shape
        layers = LinearLayers(len(self.metadata.layers or ()), width, embed_dim)
        layers.load_learned(self.tensors)
        return layers


def check_linear(file: LinearFile, backbone: Backbone) -> None:
    """Refuse layers that were trained on another CLIP; raises :class:`PromptError` that names both."""
    recorded, embed_dim = file.metadata.weights_sha256, int(file.tensors["layers.0.weight"].shape[0])
    if embed_dim == backbone.embed_dim and (not recorded or recorded == backbone.weights_sha256):
        return
    raise PromptError(
        f"the linear layers {file.path or 'given'} were trained on {file.metadata.backbone or 'an unnamed CLIP'}"
        f" (weights {str(recorded)[:12]}), not on {backbone.name} (weights {str(backbone.weights_sha256)[:12]})."
        f" Use that backbone, or train layers on {backbone.name}"
    )


def save_linear(path: str | Path, file: LinearFile) -> None:
    """Write atomically; raises :class:`OutputError`."""
    from safetensors.torch import save

    header = {"format": FORMAT_VERSION, "ensemble": file.ensemble, "metadata": asdict(file.metadata)}
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    write_file(path, save({name: value.contiguous() for name, value in file.tensors.items()}, {LINEAR_KEY: text}))


def load_linear(path: str | Path) -> LinearFile:
    """Read what :func:`save_linear` wrote. Raises :class:`PromptError`."""
    from pydantic import TypeAdapter, ValidationError
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = read_bounded(path)
    text = header_texts(data).get(LINEAR_KEY)
    if text is None:
        raise PromptError(f"{path} holds no linear layers of VAND; train some with anomalyclip train --method vand")
    try:
        header: Any = json.loads(text, parse_int=whole_number)
        if header["format"] != FORMAT_VERSION:
            raise PromptError(f"{path} has format {header['format']!r}, this version reads {FORMAT_VERSION}")
        metadata = TypeAdapter(PromptMetadata).validate_json(json.dumps(header["metadata"]), strict=True)
        return LinearFile(str(header["ensemble"]), metadata, load(data), str(path))
    except (SafetensorError, ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PromptError(f"the file {path} is damaged ({reason}); save or fetch it again") from error
