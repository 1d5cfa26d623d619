"""Where the pictures of a split lie."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.data.folder_names import PHASE_FOLDERS
from anomalyclip.data.listings import child


def phase_folder(root: Path, split: str) -> Path | None:
    """The folder of a split's pictures, by any of its names; None where there is none."""
    options = (path for name in PHASE_FOLDERS[split] if (path := child(root, name)).is_dir())
    return next(options, None)


def base_of(root: Path, split: str) -> Path | None:
    """The same; a set without such a folder is for tests as a whole."""
    phase = phase_folder(root, split)
    return root if phase is None and split == "test" else phase
