"""One tensor's name asks for a tower of 99,999,999 blocks."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from weights_end import show

SHAPES = {
    "visual.conv1.weight": (64, 3, 8, 8), "visual.positional_embedding": (17, 64), "visual.proj": (64, 32),
    "positional_embedding": (8, 64), "token_embedding.weight": (64, 64),
    "visual.transformer.resblocks.99999999.ln_1.weight": (64,),
}  # fmt: skip


def make(folder: Path) -> Path:
    save_file({name: torch.zeros(shape) for name, shape in SHAPES.items()}, folder / "model.safetensors")
    return folder / "model.safetensors"


if __name__ == "__main__":
    show(make)
