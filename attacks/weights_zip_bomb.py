"""A .pth of a few hundred kilobytes whose pickle unfolds to 200 MB."""

from __future__ import annotations

import zipfile
from pathlib import Path

from weights_end import show


def make(folder: Path, megabytes: int = 200) -> Path:
    with zipfile.ZipFile(folder / "model.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(megabytes << 20))
    return folder / "model.pth"


if __name__ == "__main__":
    show(make)
