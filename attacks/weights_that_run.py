"""A .pth whose pickle makes a folder as it is loaded; it could do anything else."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from weights_end import show


class _Runs:
    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.marker,)


def make(folder: Path) -> Path:
    torch.save({"state_dict": {"visual.proj": _Runs(folder / "ran")}}, folder / "model.pth")
    return folder / "model.pth"


if __name__ == "__main__":
    show(make)
