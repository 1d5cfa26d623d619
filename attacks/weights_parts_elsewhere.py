"""An index of parts that names a file outside the model's folder."""

from __future__ import annotations

import json
from pathlib import Path

from weights_end import show


def make(folder: Path, name: str = "../secret.safetensors") -> Path:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    index = {"weight_map": {"visual.proj": name}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    return model


if __name__ == "__main__":
    show(make)
