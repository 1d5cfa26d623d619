"""A safetensors header of a terabyte, in a file of 18 bytes."""

from __future__ import annotations

from pathlib import Path

from weights_end import safetensors, show


def make(folder: Path) -> Path:
    return safetensors(folder / "model.safetensors", '{"a": {}}', length=1 << 40)


if __name__ == "__main__":
    show(make)
