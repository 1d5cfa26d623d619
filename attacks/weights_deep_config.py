"""An open_clip_config.json of 200,000 brackets beside weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from weights_end import show


def make(folder: Path) -> Path:
    save_file({"visual.proj": torch.zeros(2)}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text('{"model_cfg":' + "[" * 200_000 + "]" * 200_000 + "}")
    return folder


if __name__ == "__main__":
    show(make)
