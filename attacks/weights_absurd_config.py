"""A configuration in the header that asks for a thousand million blocks of a thousand million numbers."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from weights_end import show


def make(folder: Path, layers: object = 10**9) -> Path:
    vision = {"image_size": 224, "patch_size": 16, "width": 10**9, "layers": layers, "heads": 1}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "layers": 1, "heads": 1}
    config = json.dumps({"embed_dim": 64, "vision": vision, "text": text})
    save_file({"visual.proj": torch.zeros(2)}, folder / "model.safetensors", {"clip_config": config})
    return folder / "model.safetensors"


if __name__ == "__main__":
    show(make)
