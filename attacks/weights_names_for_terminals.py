"""A tensor whose name moves the cursor up, takes the line's colour and begins a new line."""

from __future__ import annotations

from pathlib import Path

from weights_end import safetensors, show, tensor


def make(folder: Path) -> Path:
    name = "\x1b[1A\x1b[8mharmless\nerror: no such file \u202e"
    return safetensors(folder / "model.safetensors", {name: tensor([0], 0, 0)})


if __name__ == "__main__":
    show(make)
