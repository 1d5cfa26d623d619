"""A header of a million brackets, in which a recursive parser drowns."""

from __future__ import annotations

from pathlib import Path

from weights_end import safetensors, show


def make(folder: Path) -> Path:
    deep = "[" * 1_000_000 + "]" * 1_000_000
    return safetensors(folder / "model.safetensors", f'{{"visual.proj": {deep}}}')


if __name__ == "__main__":
    show(make)
