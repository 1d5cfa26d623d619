"""A tensor that lies beyond the end of its file."""

from __future__ import annotations

from pathlib import Path

from weights_end import safetensors, show, tensor


def make(folder: Path) -> Path:
    header = {"visual.proj": tensor([1 << 30], 0, 1 << 31)}
    return safetensors(folder / "model.safetensors", header, bytes(8))


if __name__ == "__main__":
    show(make)
