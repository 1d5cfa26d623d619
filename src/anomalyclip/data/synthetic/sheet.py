"""Contact sheets: many renders side by side, each with its mask, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from anomalyclip.errors import OutputError

from .noise import Array
from .rendering import render


def contact_sheet(
    seed: int,
    count: int,
    size: int = 192,
    families: Sequence[str] | None = None,
    anomalous: bool | None = None,
    columns: int = 8,
) -> Array:
    """uint8 (rows * size, columns * size, 3) RGB: picture and mask alternate; mask grey levels tell regions apart."""
    tiles = []
    for k in range(count):
        s = render(seed + k, size, anomalous=anomalous, families=families)
        tiles += [
            s.image,
            np.repeat(
                (s.labels.astype(np.uint16) * 255 // max(1, int(s.labels.max()))).astype(np.uint8)[..., None], 3, 2
            ),
        ]
        if anomalous is False:
            tiles.pop()
    tiles += [np.zeros((size, size, 3), np.uint8)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])


def write_sheet(path: Path, sheet: Array) -> None:
    """Write a sheet as PNG; raises OutputError if that fails."""
    ok, code = cv2.imencode(".png", sheet[..., ::-1])
    try:
        if not ok:
            raise OSError("PNG encoding failed")
        path.write_bytes(code.tobytes())
    except OSError as error:
        raise OutputError(f"cannot write the contact sheet {path}: {error}. Choose a writable .png path.") from error
